import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LogFollower } from '../support/service/follow-log.js';
import { PATIENCE_MS } from '../support/runtimes/runtime-bench.js';
import { TestCluster, whyNoKubernetes } from '../support/runtimes/kubernetes/runtime-kubernetes.js';
import { describeTier } from '../support/runtimes/runtime-tier.js';
import { TestService } from '../support/service/service.js';

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
const WHOLE_LOG = Array.from({ length: LINES }, (_, i) => `${i}\n`).join('');
const TIMEOUT_MS = 360_000;

describeTier('kubernetes-restarts', unavailable, () => {
  describe('a job whose cluster loses a component in the middle', () => {
    let cluster: TestCluster;
    let service: TestService;
    let folder: string;

    beforeAll(async () => {
      cluster = await TestCluster.open();
      folder = await mkdtemp(join(tmpdir(), 'maps-restarts-'));
      await cluster.linkFolders(folder);
      service = await TestService.start({
        EXECUTION_RUNTIME: 'kubernetes',
        KUBECONFIG: process.env.KUBECONFIG ?? '',
        K8S_NAMESPACE: cluster.namespace,
        K8S_CPU_REQUEST_PERCENT: '1',
        K8S_NETWORK_POLICY: 'false',
        WORKSPACE_DIR: folder,
      });
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
        expect(text).toBe(WHOLE_LOG);
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
});
