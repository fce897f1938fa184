import { dockerSetup } from '../support/runtime-setups.js';
import { describeRuntimeContract } from './runtime-provider.contract.js';

describeRuntimeContract('docker', {
  ...(await dockerSetup()),
  runsPython: true,
  expectedGaps: [],
});
