import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MiB } from '../../../src/common/bytes.js';
import { RuntimeBench, withPatience } from '../../support/runtimes/runtime-bench.js';
import {
  KUBE_IMAGE,
  TestCluster,
  whyNoKubernetes,
} from '../../support/runtimes/kubernetes/runtime-kubernetes.js';
import { podOf, runnerPid, startAltered } from '../../support/runtimes/kubernetes/runtime-pods.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';

const RUNS_ON = 'import time\nprint("ready", flush=True)\nwhile True: time.sleep(60)\n';
const FILLS_TMP = `import time
with open('/tmp/full', 'wb') as file:
    file.write(bytes(48 * 2**20))
print("ready", flush=True)
while True: time.sleep(60)
`;
const TIMEOUT_MS = 150_000;

describeTier('kubernetes', await whyNoKubernetes(), () => {
  describe('a pod that its kubelet ends', () => {
    let cluster: TestCluster;
    let bench: RuntimeBench;
    /** Each waits up to a minute for the kubelet and does nothing meanwhile, so they all wait at the same time. */
    let ends: Record<keyof typeof stories, Promise<unknown>>;

    beforeAll(async () => {
      cluster = await TestCluster.open();
      bench = await RuntimeBench.open({
        create: (folder) => cluster.runtime(folder),
        hooks: cluster,
        image: KUBE_IMAGE,
      });
      const begun = Object.entries(stories).map(([name, tell]) => [name, settled(tell())]);
      ends = Object.fromEntries(begun) as typeof ends;
    }, TIMEOUT_MS);

    afterAll(async () => {
      await Promise.all(Object.values(ends));
      await bench.tidy();
      try {
        expect(await bench.close()).toEqual([]);
      } finally {
        await cluster.close();
      }
    }, TIMEOUT_MS);

    const stories = {
      'is evicted when it fills a volume beyond its size': async (): Promise<void> => {
        // Longer than a kubelet takes to look at volumes, which is up to a minute or so.
        const run = { script: FILLS_TMP, limits: { tmpBytes: 16 * MiB }, timeoutSeconds: 140 };
        const workload = await bench.start(run);
        const exit = await workload.exit(bench.provider, TIMEOUT_MS);
        // A cluster that gives the volume its size fails the write instead.
        if (exit.kind === 'exited') expect(exit.exitCode).toBe(1);
        else
          expect(exit).toMatchObject({ kind: 'evicted', message: expect.stringMatching(/Evicted.*"tmp"/) });
      },

      'has exceeded its deadline when its runner does not hold the one of the job':
        async (): Promise<void> => {
          const run = { script: RUNS_ON, graceSeconds: 1 };
          const workload = await startAltered(cluster, bench, run, (spec) => {
            spec.activeDeadlineSeconds = 8;
          });
          await workload.printed('ready');
          process.kill(await runnerPid(workload), 'SIGSTOP');
          expect(await workload.exit(bench.provider, TIMEOUT_MS)).toEqual({ kind: 'deadlineExceeded' });
          expect(await workload.exit(await bench.another())).toEqual({ kind: 'deadlineExceeded' });
        },

      'is stopped by its own deadline when its runner does not find the stop request, and its record stays':
        async (): Promise<void> => {
          const workload = await bench.start({ script: RUNS_ON, graceSeconds: 1 });
          await workload.printed('ready');
          await rm(join(workload.spec.workspace.jobDir, 'stop'));
          await stop(workload.handle);
          const exit = await workload.exit(bench.provider, TIMEOUT_MS);
          // Older clusters do not write down the end of a container that they ended by its deadline.
          if (exit.kind === 'exited') expect([137, 143]).toContain(exit.exitCode);
          else throw new Error(`It ended otherwise: ${JSON.stringify(exit)}`);
          expect((await workload.spool()).ended).toMatchObject({ stopped: true });
          expect(await podOf(cluster, workload)).toBeDefined();
        },

      'is killed by its own deadline when its runner does not do anything, and its record stays':
        async (): Promise<void> => {
          const workload = await bench.start({ script: RUNS_ON, graceSeconds: 1 });
          await workload.printed('ready');
          process.kill(await runnerPid(workload), 'SIGSTOP');
          const exit = workload.exit(bench.provider, TIMEOUT_MS);
          await stop(workload.handle);
          const killed = { kind: 'exited', exitCode: 137, oomKilled: false };
          expect(await exit).toEqual(killed);
          expect(await workload.exit(await bench.another())).toEqual(killed);
          const listed = await bench.provider.list();
          expect(listed).toContainEqual(
            expect.objectContaining({ name: workload.spec.name, state: 'ended' }),
          );
        },
    };

    const stop = (handle: string): Promise<void> =>
      withPatience('the stop', (signal) => bench.provider.stop(handle, 0, signal), TIMEOUT_MS);

    for (const name of Object.keys(stories) as (keyof typeof stories)[]) {
      it(
        name,
        async () => {
          const fault = await ends[name];
          if (fault !== undefined) throw fault as Error;
        },
        TIMEOUT_MS,
      );
    }
  });
});

/** Resolves with what went wrong, undefined when nothing did. */
function settled(work: Promise<void>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
