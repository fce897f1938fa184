import { randomUUID } from 'node:crypto';
import { createProcessRuntime } from '../../src/runtime/process/process.runtime.js';
import { ProcessBackdoor, testPython, whyNoProcess } from '../support/runtime-process.js';
import { describeWarmPool } from './warm-pool.contract.js';

const isolation = 'bubblewrap';
const installationId = `test-${randomUUID()}`;
const backdoor = new ProcessBackdoor(installationId, isolation);
const unavailable = await whyNoProcess(isolation);

describeWarmPool('process (bubblewrap)', {
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
  leftovers: () => backdoor.leftovers(),
  image: 'none',
  requiredTier: 'process',
  ...(unavailable === undefined ? {} : { unavailable }),
});
