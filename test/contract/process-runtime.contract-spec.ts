import { randomUUID } from 'node:crypto';
import { createProcessRuntime } from '../../src/runtime/process/process.runtime.js';
import { ProcessBackdoor, TEST_PYTHON, whyNoProcess } from '../support/runtime-process.js';
import { describeRuntimeContract } from './runtime-provider.contract.js';

const isolation = 'bubblewrap';
const installationId = `test-${randomUUID()}`;
const backdoor = new ProcessBackdoor(installationId, isolation);

describeRuntimeContract('process (bubblewrap)', {
  create: (dataDir) => {
    backdoor.dataDir = dataDir;
    return createProcessRuntime({
      dataDir,
      isolation,
      installationId,
      python: TEST_PYTHON,
      logger: { info: () => undefined, warn: () => undefined },
    });
  },
  hooks: {
    makeWithoutStart: (spec) => backdoor.makeWithoutStart(spec),
    removeBehind: (handle, spec) => backdoor.removeBehind(handle, spec),
    leftovers: () => backdoor.leftovers(),
  },
  image: 'none',
  runsPython: true,
  expectedGaps: [],
  requiredTier: 'process',
  unavailable: await whyNoProcess(isolation),
});
