import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readLabels } from '../../src/runtime/kubernetes/labels.js';
import type { ObservedPod } from '../../src/runtime/kubernetes/observed-pod.js';
import { LogFollower } from '../support/service/follow-log.js';
import type { FollowedLog } from '../support/service/follow-log.js';
import { PATIENCE_MS } from '../support/runtimes/runtime-bench.js';
import { TestCluster, whyNoKubernetes } from '../support/runtimes/kubernetes/runtime-kubernetes.js';
import { runnerPidOf } from '../support/runtimes/kubernetes/runtime-pods.js';
import { describeTier } from '../support/runtimes/runtime-tier.js';
import { TestService } from '../support/service/service.js';
import type { JobView } from '../support/service/service.js';
import { waitFor } from '../support/wait-for.js';

const restart = process.env.TEST_KUBE_RESTART;
const unavailable =
  restart === undefined
    ? 'TEST_KUBE_RESTART names no command that restarts a component of the cluster.'
    : await whyNoKubernetes();

const LINES = 250;
const SCRIPT = `import time
for i in range(${LINES}):
    print(i, flush=True)
    time.sleep(0.1)
`;
const TIMEOUT_MS = 360_000;

const GRACE_SECONDS = 1;
/** How much later than its deadline and grace, or than a cancel and its grace, a job may come to its end. */
const BOUND_MS = 30_000;
const TIMEOUT_SECONDS = 15;
/** For as long a node is away. */
const AWAY_SECONDS = 75;
const RUNS_ON = `import itertools, time
for i in itertools.count():
    print(i, flush=True)
    time.sleep(0.1)
`;
/** Runs until the test lets it end. */
const ENDS_WHEN_TOLD = `import os, time
while not os.path.exists("end"):
    time.sleep(0.02)
print("done")
open("made.txt", "w").write("all of it")
`;

describeTier('kubernetes-restarts', unavailable, () => {
  describe('a job whose cluster loses a component in the middle', () => {
    let cluster: TestCluster;
    let service: TestService;
    let folder: string;

    beforeAll(async () => {
      cluster = await TestCluster.open();
      folder = await mkdtemp(join(tmpdir(), 'maps-restarts-'));
      service = await startOn(cluster, folder);
    }, TIMEOUT_MS);

    afterAll(async () => {
      await service?.stop();
      const left = await cluster?.objectsLeft();
      await cluster?.close();
      if (folder) await rm(folder, { recursive: true, force: true });
      expect(left).toEqual([]);
    }, TIMEOUT_MS);

    it.each([
      ['the API server, for 20 s', ['kube-apiserver', '20']],
      ['containerd', ['containerd', '2']],
      ['etcd', ['etcd', '5']],
    ])(
      '%s: its log is complete and comes once, and its end is true',
      async (_, what) => {
        const id = await service.run(SCRIPT);
        const follower = new LogFollower(service, id);
        await service.waitForState(id, /RUNNING/, PATIENCE_MS);
        await promisify(execFile)(restart!, what, { timeout: 120_000 });
        const { text, seqs, job } = await follower.ended;
        expect(job).toMatchObject({ state: 'SUCCEEDED', reason: 'EXIT_ZERO', attempt: 1 });
        expect(text).toBe(numbers(LINES));
        expect(seqs).toEqual(seqs.map((_each, at) => at + 1));
      },
      TIMEOUT_MS,
    );

    it(
      'all of it works afterwards as before',
      async () => {
        const id = await service.run('print("well")');
        expect(await service.waitForEnd(id, PATIENCE_MS)).toMatchObject({ state: 'SUCCEEDED' });
      },
      TIMEOUT_MS,
    );
  });

  describe('jobs whose node is away for longer than their time', () => {
    let cluster: TestCluster;
    let service: TestService;
    let folder: string;
    let back: Promise<unknown> = Promise.resolve();
    let isBack = false;
    let wasBack: boolean;
    const ids: Record<string, string> = {};
    const ends: Record<string, JobView> = {};
    let log: FollowedLog;
    let linesBefore: number;

    const podOf = async (name: string): Promise<ObservedPod> =>
      (await cluster.find<ObservedPod>(`${cluster.base}/pods/runner-${ids[name]}`))!;
    /** Waits for the ends of these jobs, which are asked to end, or are out of time, at `dueAtMs`. */
    const endDue = async (dueAtMs: number, ...names: string[]): Promise<void> => {
      const boundMs = dueAtMs + GRACE_SECONDS * 1000 + BOUND_MS - Date.now();
      const ended = await Promise.all(names.map((name) => service.waitForEnd(ids[name]!, boundMs)));
      names.forEach((name, at) => (ends[name] = ended[at]!));
    };
    const letEnd = async (name: string): Promise<void> => {
      const outputs = join(folder, 'outputs', readLabels((await podOf(name)).metadata.labels).workspace!);
      await writeFile(join(outputs, 'end'), '');
      await waitFor(() => existsSync(join(outputs, 'made.txt')), { describe: () => `the end of ${name}` });
    };

    beforeAll(async () => {
      cluster = await TestCluster.open();
      folder = await mkdtemp(join(tmpdir(), 'maps-restarts-'));
      service = await startOn(cluster, folder);
      ids.endsWell = await service.run(ENDS_WHEN_TOLD);
      ids.endsWellUnseen = await service.run(ENDS_WHEN_TOLD);
      ids.isCancelled = await service.run(RUNS_ON);
      for (const id of Object.values(ids)) await service.waitForState(id, /RUNNING/, PATIENCE_MS);
      for (const name of ['timesOut', 'isKilled'])
        ids[name] = await service.run(RUNS_ON, { timeoutSeconds: TIMEOUT_SECONDS });
      const follower = new LogFollower(service, ids.timesOut!);
      for (const id of Object.values(ids)) await service.waitForState(id, /RUNNING/, PATIENCE_MS);
      const runningAtMs = Date.now();
      const runner = await runnerPidOf((await podOf('isKilled')).metadata.uid);
      back = nodeAway().then(() => (isBack = true));
      process.kill(runner, 'SIGKILL');
      linesBefore = follower.text.split('\n').length;
      await letEnd('endsWell');
      await service.cancel(ids.isCancelled);
      await endDue(Date.now(), 'endsWell', 'isCancelled');
      await endDue(runningAtMs + TIMEOUT_SECONDS * 1000, 'timesOut', 'isKilled');
      log = await follower.ended;
      await service.stop({ keepData: true });
      await letEnd('endsWellUnseen');
      // Of a pod that is deleted and stays, the cluster says that its node is lost.
      await cluster.delete(`${cluster.base}/pods/runner-${ids.endsWellUnseen}`);
      service = await startOn(cluster, folder, service.dataDir);
      await endDue(Date.now(), 'endsWellUnseen');
      wasBack = isBack;
      await back;
    }, TIMEOUT_MS);

    afterAll(async () => {
      await back.catch(() => undefined);
      await service?.stop();
      await cluster?.close();
      if (folder) await rm(folder, { recursive: true, force: true });
    }, TIMEOUT_MS);

    it('they all end before it is back', () => expect(wasBack).toBe(false));

    it('one whose time is up has timed out, and its log is whole and comes once', () => {
      expect(ends.timesOut).toMatchObject({ state: 'TIMED_OUT', attempt: 1 });
      const { text, seqs } = log;
      const lines = text.trimEnd().split('\n').length;
      expect(text).toBe(numbers(lines));
      expect(lines).toBeGreaterThan(linesBefore);
      expect(seqs).toEqual(seqs.map((_each, at) => at + 1));
    });

    it('one whose runner was killed meanwhile has timed out, since nothing tells of its end', () => {
      expect(ends.isKilled).toMatchObject({ state: 'TIMED_OUT', attempt: 1 });
    });

    it('one that is cancelled is stopped', () => {
      expect(ends.isCancelled).toMatchObject({ state: 'CANCELLED', attempt: 1, skippedOutputs: [] });
    });

    it.each([
      ['', 'endsWell'],
      [' while no server runs', 'endsWellUnseen'],
    ])('one whose script ends well%s has succeeded, with its outputs', async (_, name) => {
      expect(ends[name]).toMatchObject({ state: 'SUCCEEDED', reason: 'EXIT_ZERO', attempt: 1 });
      expect(ends[name]!.outputs).toMatchObject([{ path: 'end' }, { path: 'made.txt', size: 9 }]);
      expect(await service.logText(ids[name]!)).toBe('done\n');
    });

    it('nothing of them stays on the cluster', () =>
      waitFor(async () => (await cluster.objectsLeft()).length === 0, {
        deadlineMs: PATIENCE_MS,
        describe: () => 'nothing left in the namespace',
      }));
  });
});

/** Kills what a node consists of, both parts at once, and lets it stay away. Resolves when it is back. */
async function nodeAway(): Promise<void> {
  const away = (name: string, seconds: number): Promise<unknown> =>
    promisify(execFile)(restart!, [name, String(seconds)]);
  // Whichever comes back first starts the other one too.
  await Promise.all([away('containerd', AWAY_SECONDS), away('kubelet', AWAY_SECONDS + 45)]);
}

async function startOn(cluster: TestCluster, folder: string, dataDir?: string): Promise<TestService> {
  await cluster.linkFolders(folder);
  const variables = {
    EXECUTION_RUNTIME: 'kubernetes',
    KUBECONFIG: process.env.KUBECONFIG ?? '',
    K8S_NAMESPACE: cluster.namespace,
    K8S_CPU_REQUEST_PERCENT: '1',
    K8S_NETWORK_POLICY: 'false',
    STOP_GRACE_SECONDS: String(GRACE_SECONDS),
    MAX_CONCURRENT_JOBS: '8',
    WORKSPACE_DIR: folder,
  };
  return TestService.start(variables, dataDir);
}

function numbers(count: number): string {
  return Array.from({ length: count }, (_, n) => `${n}\n`).join('');
}
