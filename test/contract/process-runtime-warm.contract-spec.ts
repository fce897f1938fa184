import { randomUUID } from 'node:crypto';
import { watch } from 'node:fs';
import { createProcessRuntime } from '../../src/runtime/process/process.runtime.js';
import { ProcessBackdoor, testPython, whyNoProcess } from '../support/runtime-process.js';
import { describeRuntimeContract } from './runtime-provider.contract.js';

const isolation = 'bubblewrap';
const installationId = `test-${randomUUID()}`;
const backdoor = new ProcessBackdoor(installationId, isolation);

// The event loop keeps the descriptor of its first watch for good: it is made before the suite counts descriptors.
watch('/').close();

describeRuntimeContract('process (bubblewrap), warm', {
  isWarm: true,
  create: (dataDir) => {
    backdoor.dataDir = dataDir;
    return createProcessRuntime({
      dataDir,
      isolation,
      installationId,
      python: testPython(isolation),
      logger: { info: () => undefined, warn: () => undefined },
    });
  },
  hooks: {
    makeWithoutStart: (spec) => backdoor.makeWithoutStart(spec),
    removeBehind: (handle, spec) => backdoor.removeBehind(handle, spec),
    describe: (handle, spec) => backdoor.describe(handle, spec),
    leftovers: () => backdoor.leftovers(),
  },
  image: 'none',
  runsPython: true,
  expectedGaps: ['missing-image'],
  requiredTier: 'process',
  unavailable: await whyNoProcess(isolation),
});
