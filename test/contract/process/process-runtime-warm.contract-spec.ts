import { watch } from 'node:fs';
import { cgroupGaps, missingControllers } from '../../support/runtimes/process/runtime-cgroups.js';
import { processSetup } from '../../support/runtimes/runtime-setups.js';
import { describeRuntimeContract } from '../runtime/runtime-provider.contract.js';

// The event loop keeps the descriptor of its first watch for good: it is made before the suite counts descriptors.
watch('/').close();

const missing = await missingControllers();
describeRuntimeContract('process (bubblewrap), warm', {
  ...(await processSetup()),
  isWarm: true,
  runsPython: true,
  expectedGaps: ['missing-image', ...cgroupGaps(missing)],
});
