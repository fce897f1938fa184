import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesOptions } from '../../../src/runtime/kubernetes/kubernetes-options.js';
import type { KubernetesRuntimeProvider } from '../../../src/runtime/kubernetes/kubernetes.runtime.js';
import { RUNNER_EXIT_CODES } from '../../../src/runner/exit-codes.js';
import { NetworkStage } from '../../support/runtimes/kubernetes/network-stage.js';
import type { Workload } from '../../support/runtimes/runtime-bench.js';
import { RuntimeBench, fixture } from '../../support/runtimes/runtime-bench.js';
import { KUBE_IMAGE, whyNoKubernetes } from '../../support/runtimes/kubernetes/runtime-kubernetes.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { TestService } from '../../support/service/service.js';
import { waitFor } from '../../support/wait-for.js';
import { recordedLog } from '../../support/recorded-log.js';

/** Hostile jobs of each kind; many more of them show what is rare. */
const JOBS = Number(process.env.NETWORK_JOBS ?? 10);
const AT_ONCE = 4;
const HOSTILE_SECONDS = 1.5;
const CASE_MS = 150_000;
const HOSTILE_MS = CASE_MS + JOBS * 10_000;
/** A policy takes effect, or goes, a moment after the API server has taken the change. */
const EFFECT_MS = 60_000;
const REFUSED = { kind: 'exited', exitCode: RUNNER_EXIT_CODES.networkOpen, oomKilled: false };
const ENDS = 'print("ran")\n';

const SERVICE = '{ service { runtime { message capabilities } } }';

interface RuntimeView {
  message: string;
  capabilities: { networkIsolation: boolean };
}

const unavailable = await whyNoKubernetes();
const stage = unavailable === undefined ? await NetworkStage.open() : undefined;

describeTier('kubernetes', unavailable, () => {
  const { cluster, bench, isEnforced } = stage!;
  const runtimes: KubernetesRuntimeProvider[] = [];

  afterEach(async () => {
    await bench.tidy();
    for (const runtime of runtimes.splice(0)) await runtime.close();
  }, CASE_MS);

  afterAll(async () => expect(await stage!.close()).toEqual([]), CASE_MS);

  const runtimeWith = async (more: Partial<KubernetesOptions>): Promise<KubernetesRuntimeProvider> => {
    const runtime = (await cluster.runtime(bench.dataDir, more)) as KubernetesRuntimeProvider;
    runtimes.push(runtime);
    return runtime;
  };

  const startOn = async (runtime: KubernetesRuntimeProvider, script: string): Promise<Workload> => {
    const workload = await bench.prepare({ script, request: stage!.request(HOSTILE_SECONDS) });
    await workload.start(runtime);
    return workload;
  };

  const says = (runtime: KubernetesRuntimeProvider, words: RegExp): Promise<unknown> =>
    waitFor(async () => words.test((await runtime.checkHealth()).message), {
      deadlineMs: EFFECT_MS,
      describe: () => `${words} in what the runtime says`,
    });

  it(
    'is told by a server of the default configuration, which leaves no pod of its own',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'maps-network-'));
      await cluster.linkFolders(folder);
      const service = await TestService.start({
        EXECUTION_RUNTIME: 'kubernetes',
        KUBECONFIG: process.env.KUBECONFIG ?? '',
        K8S_NAMESPACE: cluster.namespace,
        K8S_CPU_REQUEST_PERCENT: '1',
        WORKSPACE_DIR: folder,
      });
      try {
        const words = isEnforced ? /Its network holds jobs/ : /Its network enforces no policy on jobs/;
        let message = '';
        await waitFor(
          async () => {
            const { data } = await service.graphql<{ service: { runtime: RuntimeView } }>(SERVICE);
            message = data!.service.runtime.message;
            const { networkIsolation } = data!.service.runtime.capabilities;
            return words.test(message) && networkIsolation === isEnforced;
          },
          {
            deadlineMs: EFFECT_MS,
            describe: () => `${words} in the service's message, which is: ${message}`,
          },
        );
      } finally {
        await service.stop();
        // The mark of its database, which stays with the outputs.
        await rm(join(folder, 'outputs', '.database-id'), { force: true });
        await rm(folder, { recursive: true, force: true });
      }
      expect(await cluster.objectsLeft()).toEqual([]);
    },
    CASE_MS,
  );

  /** On a cluster whose network enforces no policy at all, or in a namespace that has none. */
  const describeOpen = (what: string, prepare: () => Promise<void>, restore: () => Promise<void>): void => {
    describe(what, () => {
      it(
        'is said, and jobs run there all the same',
        async () => {
          await prepare();
          const warnings: string[] = [];
          const log = recordedLog((line) => void warnings.push(line));
          const runtime = await runtimeWith({ networkPolicy: 'auto', log });
          expect(runtime.capabilities.networkIsolation).toBe(false);
          runtime.watchNetwork(bench.workspaces);
          await says(runtime, /enforces no policy on jobs with network NONE \(.* answers\): .* have one/);
          expect(runtime.capabilities.networkIsolation).toBe(false);
          expect(warnings.join('\n')).toMatch(/enforces no policy/);
          const workload = await startOn(runtime, ENDS);
          expect(await workload.exit(runtime)).toMatchObject({ exitCode: 0 });
        },
        CASE_MS,
      );

      it(
        'keeps a job with network NONE from starting where a policy is asked for',
        async () => {
          const runtime = await runtimeWith({ networkPolicy: 'required' });
          const workload = await startOn(runtime, ENDS);
          expect(await workload.exit(runtime)).toEqual(REFUSED);
          expect((await workload.spool()).frames).toEqual([]);
          runtime.watchNetwork(bench.workspaces);
          await says(runtime, /enforces no policy on jobs with network NONE \(.* answers\): .* do not start/);
          await restore();
        },
        CASE_MS,
      );
    });
  };

  if (!isEnforced) {
    describeOpen(
      'a cluster whose network enforces no policy',
      async () => undefined,
      async () => undefined,
    );
    return;
  }

  describe('a network that enforces the policy', () => {
    const nothing = Object.fromEntries(stage!.targetNames.map((name) => [name, 0]));

    /** What `count` jobs reached, several at a time. */
    const reachedBy = async (
      count: number,
      run: () => Promise<Workload>,
      of: RuntimeBench,
    ): Promise<object[]> => {
      const reports: object[] = [];
      let left = count;
      const worker = async (): Promise<void> => {
        while (left-- > 0) {
          const workload = await run();
          const exit = await workload.exit(of.provider);
          const { taken, rounds } = NetworkStage.report({ exit, spool: await workload.spool() });
          expect(rounds).toBeGreaterThan(0);
          reports.push(taken);
          await of.provider.remove(workload.handle);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      return reports;
    };

    for (const isWarm of [false, true]) {
      it(
        `lets nothing through to ${JOBS} ${isWarm ? 'warm' : 'cold'} jobs that try from their first instruction on`,
        async () => {
          const guarded = await RuntimeBench.open({
            create: (folder) => cluster.runtime(folder, { networkPolicy: 'required' }),
            hooks: { leftovers: async () => [] },
            image: KUBE_IMAGE,
            isWarm,
          });
          try {
            const run = {
              script: await fixture('hostile-network'),
              request: stage!.request(HOSTILE_SECONDS),
            };
            const reports = await reachedBy(JOBS, () => guarded.start(run), guarded);
            expect(reports).toEqual(Array.from({ length: JOBS }, () => nothing));
          } finally {
            expect(await guarded.close()).toEqual([]);
          }
        },
        HOSTILE_MS,
      );
    }

    it(
      'is seen, and jobs wait for it from then on, also when it goes',
      async () => {
        const networkPace = { leastMs: 500, lookAgainMs: 500, firstRetryMs: 500 };
        const runtime = await runtimeWith({ networkPolicy: 'auto', networkPace });
        expect(runtime.capabilities.networkIsolation).toBe(false);
        runtime.watchNetwork(bench.workspaces);
        await says(runtime, /Its network holds jobs with network NONE back/);
        expect(runtime.capabilities.networkIsolation).toBe(true);
        await stage!.removePolicies();
        await waitFor(async () => JSON.stringify(await exitOn(runtime)) === JSON.stringify(REFUSED), {
          deadlineMs: EFFECT_MS,
          describe: () => 'a job that does not start',
        });
        await says(runtime, /enforces no policy on jobs with network NONE \(.* answers\): .* do not start/);
        expect(runtime.capabilities.networkIsolation).toBe(false);
        await stage!.applyPolicies();
        await says(runtime, /Its network holds jobs with network NONE back/);
        expect(await exitOn(runtime)).toMatchObject({ exitCode: 0 });
      },
      CASE_MS,
    );

    const exitOn = async (runtime: KubernetesRuntimeProvider): Promise<unknown> => {
      const workload = await startOn(runtime, ENDS);
      return workload.exit(runtime);
    };
  });

  describeOpen(
    'a namespace without the policy',
    () => stage!.removePolicies(),
    () => stage!.applyPolicies(),
  );
});
