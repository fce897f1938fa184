import { dockerSetup } from '../support/runtime-setups.js';
import { describeRuntimeContract } from './runtime-provider.contract.js';

describeRuntimeContract('docker, warm', {
  ...(await dockerSetup()),
  isWarm: true,
  runsPython: true,
  expectedGaps: [],
});
