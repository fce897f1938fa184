import { expect } from '@jest/globals';
import { runtimeCases } from './runtime-case.js';

const WAITS = 'import time\nprint("ready", flush=True)\ntime.sleep(300)\n';

/** start, wait, stop, remove and list. All but a few run on the fake too. */
export const LIFECYCLE_CASES = runtimeCases([
  {
    id: 'remove-kills',
    title: 'remove kills a workload that runs, and may be repeated',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: WAITS });
      await bench.provider.remove(workload.handle);
      await bench.provider.remove(workload.handle);
      expect((await bench.provider.list()).map((each) => each.name)).not.toContain(workload.spec.name);
    },
  },
]);
