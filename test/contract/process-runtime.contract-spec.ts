import { watch } from 'node:fs';
import { processSetup } from '../support/runtime-setups.js';
import { describeRuntimeContract } from './runtime-provider.contract.js';

// The event loop keeps the descriptor of its first watch for good: it is made before the suite counts descriptors.
watch('/').close();

describeRuntimeContract('process (bubblewrap)', {
  ...(await processSetup()),
  runsPython: true,
  expectedGaps: ['missing-image'],
});
