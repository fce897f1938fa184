import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PATIENCE_MS, RuntimeBench, withPatience } from '../support/runtimes/runtime-bench.js';
import {
  KUBE_IMAGE,
  TestCluster,
  whyNoKubernetes,
} from '../support/runtimes/kubernetes/runtime-kubernetes.js';
import { describeTier } from '../support/runtimes/runtime-tier.js';
import { waitFor } from '../support/wait-for.js';

const LINES = 250;
const COUNTS = `import time
for n in range(${LINES}):
    print(n, flush=True)
    time.sleep(0.1)
raise SystemExit(3)
`;
const COUNTED = Array.from({ length: LINES }, (_, n) => `${n}\n`).join('');
const EXITED_3 = { kind: 'exited', exitCode: 3, oomKilled: false };
const TIMEOUT_MS = 360_000;

const COMPONENTS = [
  ['kube-apiserver', 20],
  ['etcd', 10],
  ['kubelet', 30],
  ['containerd', 5],
  ['kube-controller-manager', 5],
  ['kube-scheduler', 5],
] as const;

const unavailable = process.env.TEST_KUBE_RESTART
  ? await whyNoKubernetes()
  : 'TEST_KUBE_RESTART names no command that kills a component of the cluster and starts it again.';

describeTier('kubernetes-restarts', unavailable, () => {
  describe('a job on a cluster whose parts die', () => {
    let cluster: TestCluster;
    let bench: RuntimeBench;

    beforeAll(async () => {
      cluster = await TestCluster.open();
      bench = await RuntimeBench.open({
        create: (folder) => cluster.runtime(folder, { reconcileMs: 2_000 }),
        hooks: cluster,
        image: KUBE_IMAGE,
      });
    }, TIMEOUT_MS);

    afterEach(() => bench.tidy(), TIMEOUT_MS);

    afterAll(async () => {
      expect(await bench.close()).toEqual([]);
      await cluster.close();
    }, TIMEOUT_MS);

    /** Resolves when the component was killed, was away for so long and has been started again. */
    const restart = async (name: string, seconds: number): Promise<void> => {
      await promisify(execFile)(process.env.TEST_KUBE_RESTART!, [name, String(seconds)]);
    };

    for (const [name, seconds] of COMPONENTS) {
      it(
        `runs to its end, with all of its log, while ${name} is away for ${seconds} s`,
        async () => {
          const workload = await bench.start({ script: COUNTS });
          await workload.printed('5\n');
          const exit = withPatience(
            'the end of the job',
            (signal) => bench.provider.wait(workload.handle, signal),
            TIMEOUT_MS - 30_000,
          );
          await restart(name, seconds);
          expect(await exit).toEqual(EXITED_3);
          expect(await (await bench.another()).wait(workload.handle)).toEqual(EXITED_3);
          const spool = await workload.spool();
          expect(spool.stdout).toBe(COUNTED);
          expect(spool.isGapFree).toBe(true);
          expect(spool.frames.filter(({ kind }) => kind === 'started')).toHaveLength(1);
          expect(spool.ended).toMatchObject({ exitCode: 3, stopped: false, timedOut: false });
        },
        TIMEOUT_MS,
      );
    }

    it(
      'is stopped by its stop request while the API server is away',
      async () => {
        const workload = await bench.start({ script: COUNTS });
        await workload.printed('5\n');
        const back = restart('kube-apiserver', 15);
        await waitFor(async () => !(await bench.provider.checkHealth()).healthy, {
          describe: () => 'the API server away',
        });
        const stopped = bench.provider.stop(workload.handle, 1).catch(() => undefined);
        await waitFor(async () => (await workload.spool()).ended?.stopped, {
          describe: () => 'the script stopped',
        });
        await Promise.all([back, stopped]);
        const exit = await workload.exit();
        expect(exit).toEqual({ kind: 'exited', exitCode: 143, oomKilled: false });
      },
      TIMEOUT_MS,
    );

    it(
      'is started once when its start falls into the outage',
      async () => {
        const workload = await bench.prepare({ script: 'raise SystemExit(3)\n' });
        const back = restart('kube-apiserver', 5);
        await waitFor(() => workload.start(), { deadlineMs: PATIENCE_MS, describe: () => 'the start' });
        await back;
        expect(await workload.exit()).toEqual(EXITED_3);
        const { frames } = await workload.spool();
        expect(frames.filter(({ kind }) => kind === 'started')).toHaveLength(1);
        expect(await bench.provider.list()).toHaveLength(1);
      },
      TIMEOUT_MS,
    );
  });
});
