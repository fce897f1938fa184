import { dockerSetup } from '../../support/runtimes/runtime-setups.js';
import { describeRuntimeContract } from '../runtime/runtime-provider.contract.js';

describeRuntimeContract('docker', {
  ...(await dockerSetup()),
  runsPython: true,
  expectedGaps: [],
});
