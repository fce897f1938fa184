import { watch } from 'node:fs';
import {
  cgroupGaps,
  describeCgroups,
  missingControllers,
} from '../../support/runtimes/process/runtime-cgroups.js';
import { processSetup } from '../../support/runtimes/runtime-setups.js';
import { describeRuntimeContract } from '../runtime/runtime-provider.contract.js';

// The event loop keeps the descriptor of its first watch for good: it is made before the suite counts descriptors.
watch('/').close();

const missing = await missingControllers();
describeCgroups(missing);

describeRuntimeContract('process (bubblewrap)', {
  ...(await processSetup()),
  runsPython: true,
  expectedGaps: ['missing-image', ...cgroupGaps(missing)],
});
