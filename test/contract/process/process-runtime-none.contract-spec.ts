import { cgroupGaps, missingControllers } from '../../support/runtimes/process/runtime-cgroups.js';
import { processSetup } from '../../support/runtimes/runtime-setups.js';
import { PLAIN_GAPS, describePlainRuntime } from '../runtime/plain-runtime.contract.js';

describePlainRuntime('the process runtime without a sandbox', await processSetup('none'), [
  ...cgroupGaps(await missingControllers()),
  ...PLAIN_GAPS,
]);
