import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { RuntimeProvider } from '../../../src/runtime/runtime-provider.js';
import { RuntimeBench } from '../../support/runtimes/runtime-bench.js';
import {
  KUBE_IMAGE,
  POD_OPTIONS,
  TestCluster,
  whyNoKubernetes,
} from '../../support/runtimes/kubernetes/runtime-kubernetes.js';
import { setCommand, startAltered } from '../../support/runtimes/kubernetes/runtime-pods.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { waitFor } from '../../support/wait-for.js';

const RUNS_ON = 'import time\nprint("ready", flush=True)\nwhile True: time.sleep(60)\n';
const EATS_MEMORY = ['python3', '-c', 'x = []\nwhile True: x.append(bytearray(2**24))'];
const TIMEOUT_MS = 150_000;
const PRIORITY_CLASSES = '/apis/scheduling.k8s.io/v1/priorityclasses';

describeTier('kubernetes', await whyNoKubernetes(), () => {
  describe('a pod that is ended from outside', () => {
    let cluster: TestCluster;
    let bench: RuntimeBench;
    const runtimes: RuntimeProvider[] = [];

    beforeAll(async () => {
      cluster = await TestCluster.open();
      bench = await RuntimeBench.open({
        create: (folder) => cluster.runtime(folder),
        hooks: cluster,
        image: KUBE_IMAGE,
      });
    }, TIMEOUT_MS);

    afterEach(async () => {
      await bench.tidy();
      for (const runtime of runtimes.splice(0)) await runtime.close();
    }, TIMEOUT_MS);

    afterAll(async () => {
      try {
        expect(await bench.close()).toEqual([]);
      } finally {
        await cluster.close();
      }
    }, TIMEOUT_MS);

    const pathOf = (name: string): string => `${cluster.base}/pods/${name}`;

    it(
      'is evicted when a pod of more weight needs its room',
      async () => {
        const name = cluster.namespace;
        await cluster.post(PRIORITY_CLASSES, { metadata: { name }, value: 1000 });
        try {
          const whole = { ...POD_OPTIONS, cpuRequestPercent: 100 };
          const low = await cluster.runtime(bench.dataDir, { pod: whole });
          const high = await cluster.runtime(bench.dataDir, { pod: { ...whole, priorityClass: name } });
          runtimes.push(low, high);
          const limits = { cpus: await roomForOne() };
          const first = await bench.prepare({ script: RUNS_ON, limits });
          await first.start(low);
          await first.printed('ready');
          const exit = first.exit(low);
          const second = await bench.prepare({ script: RUNS_ON, limits });
          await second.start(high);
          expect(await exit).toMatchObject({ kind: 'evicted', message: expect.stringMatching(/preempt/i) });
          await second.printed('ready');
          // As soon as its pod is gone: until then a server that looks at it anew sees that it was evicted, too.
          const kinds = new Set<string>();
          await waitFor(async () => kinds.add((await first.exit(high)).kind).has('lost'), {
            describe: () => `the loss of the first pod (seen: ${[...kinds].join()})`,
          });
          expect([...kinds].filter((kind) => kind !== 'lost' && kind !== 'evicted')).toEqual([]);
        } finally {
          await cluster.delete(`${PRIORITY_CLASSES}/${name}`);
        }
      },
      TIMEOUT_MS,
    );

    /** Most of what a node has: two such pods do not fit. */
    const roomForOne = async (): Promise<number> => {
      const { items } = await cluster.get<{ items: { status: { allocatable: { cpu: string } } }[] }>(
        '/api/v1/nodes',
      );
      if (items.length !== 1) throw new Error('This case needs a cluster of one node.');
      return Number.parseInt(items[0]!.status.allocatable.cpu, 10) * 0.6;
    };

    for (const grace of [30, 0]) {
      it(
        `is removed when somebody deletes it with ${grace} s of grace`,
        async () => {
          const workload = await bench.start({ script: RUNS_ON });
          await workload.printed('ready');
          const exit = workload.exit();
          await cluster.delete(pathOf(workload.spec.name), { gracePeriodSeconds: grace });
          expect(await exit).toEqual({ kind: 'removed' });
        },
        TIMEOUT_MS,
      );
    }

    it(
      'was killed for want of memory',
      async () => {
        const run = { script: RUNS_ON, limits: { memoryMb: 64 } };
        const workload = await startAltered(cluster, bench, run, setCommand(EATS_MEMORY));
        expect(await workload.exit()).toEqual({ kind: 'exited', exitCode: 137, oomKilled: true });
      },
      TIMEOUT_MS,
    );
  });
});
