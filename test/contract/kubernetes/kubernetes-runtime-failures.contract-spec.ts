import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { KubernetesOptions, PodOptions } from '../../../src/runtime/kubernetes/kubernetes-options.js';
import type { RuntimeProvider, StartFailure, WorkloadExit } from '../../../src/runtime/runtime-provider.js';
import { RuntimeUnavailableError, WorkloadStartError } from '../../../src/runtime/runtime.errors.js';
import type { RunSpec, Workload } from '../../support/runtimes/runtime-bench.js';
import { RuntimeBench } from '../../support/runtimes/runtime-bench.js';
import {
  KUBE_IMAGE,
  POD_OPTIONS,
  TestCluster,
  whyNoKubernetes,
} from '../../support/runtimes/kubernetes/runtime-kubernetes.js';
import { setCommand, startAltered } from '../../support/runtimes/kubernetes/runtime-pods.js';
import { FakeImageRegistry } from '../../support/runtimes/docker/image-registry.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { waitFor } from '../../support/wait-for.js';
import { RefusingWebhook } from '../../support/runtimes/kubernetes/runtime-webhook.js';

const ENDS = 'print("ran")\n';
const TIMEOUT_MS = 120_000;
const isUnavailable = (error: unknown): boolean => error instanceof RuntimeUnavailableError;

describeTier('kubernetes', await whyNoKubernetes(), () => {
  describe('a pod that does not start', () => {
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
      for (const kind of ['resourcequotas', 'limitranges']) await cluster.delete(`${cluster.base}/${kind}`);
    }, TIMEOUT_MS);

    afterAll(async () => {
      try {
        expect(await bench.close()).toEqual([]);
      } finally {
        await cluster.close();
      }
    }, TIMEOUT_MS);

    const runtimeWith = async (
      pod: Partial<PodOptions>,
      more: Partial<KubernetesOptions> = {},
    ): Promise<RuntimeProvider> => {
      const runtime = await cluster.runtime(bench.dataDir, { pod: { ...POD_OPTIONS, ...pod }, ...more });
      runtimes.push(runtime);
      return runtime;
    };

    /** Nothing of the workload is in the cluster, before anybody removes it. */
    const expectNothingLeft = async (): Promise<void> => {
      const left = (await cluster.leftovers()).filter((each) => !each.startsWith('folder'));
      expect(left).toEqual([]);
    };

    const failureOf = (exit: WorkloadExit): StartFailure => {
      if (exit.kind !== 'startFailed') throw new Error(`It ended otherwise: ${JSON.stringify(exit)}`);
      return exit.failure;
    };

    /** The failure of a pod that the API server takes and that then does not start. */
    const failStart = async (run: Partial<RunSpec>, runtime = bench.provider): Promise<StartFailure> => {
      const workload = await bench.prepare({ script: ENDS, ...run });
      await workload.start(runtime);
      // The patience with an image is half a minute, and the kubelet fetches one image at a time.
      const failure = failureOf(await workload.exit(runtime, TIMEOUT_MS - 10_000));
      await expectNothingLeft();
      expect((await workload.spool()).started).toBe(false);
      return failure;
    };

    /** The failure of a pod that the API server does not take. */
    const failCreate = async (
      run: Partial<RunSpec> = {},
      runtime = bench.provider,
    ): Promise<StartFailure> => {
      const workload = await bench.prepare({ script: ENDS, ...run });
      const error: unknown = await workload.start(runtime).catch((each: unknown) => each);
      if (!(error instanceof WorkloadStartError)) throw new Error(`It ended otherwise: ${String(error)}`);
      await expectNothingLeft();
      return error.failure;
    };

    const cases: { what: string; run: Partial<RunSpec>; pod?: Partial<PodOptions>; failure: object }[] = [
      {
        what: 'an image that is on no node and may not be fetched',
        run: { image: 'py-exec:missing' },
        pod: { imagePullPolicy: 'Never' },
        failure: {
          kind: 'imageUnavailable',
          message: expect.stringMatching(/ErrImageNeverPull.*not present with pull policy of Never/),
          hint: expect.stringMatching(/K8S_IMAGE_PULL_POLICY/),
          retryable: false,
        },
      },
      {
        what: 'an image reference that is none',
        // The first part may be a host, whose name may have capitals.
        run: { image: 'localhost/UPPER:1' },
        failure: {
          kind: 'imageUnavailable',
          message: expect.stringMatching(/InvalidImageName.*must be lowercase/),
          hint: expect.stringMatching(/RUNNER_IMAGE/),
          retryable: false,
        },
      },
      {
        what: 'a secret without the key',
        run: { secrets: ['NO_SUCH_KEY'] },
        failure: {
          kind: 'refused',
          message: expect.stringMatching(/couldn't find key NO_SUCH_KEY/),
          hint: expect.stringMatching(/secret\.yaml/),
          retryable: false,
        },
      },
      {
        what: 'a runtime class that is not there',
        run: {},
        pod: { runtimeClass: 'no-such-class' },
        failure: {
          kind: 'refused',
          message: expect.stringMatching(/no-such-class/),
          hint: expect.any(String),
          retryable: false,
        },
      },
    ];
    for (const { what, run, pod = {}, failure } of cases) {
      it(
        `says why: ${what}`,
        async () => {
          const runtime = await runtimeWith(pod);
          const workload = await bench.prepare({ script: ENDS, ...run });
          const seen = await workload.start(runtime).then(
            () => workload.exit(runtime).then(failureOf),
            (error: WorkloadStartError) => error.failure,
          );
          expect(seen).toMatchObject(failure);
          await expectNothingLeft();
          expect((await workload.spool()).started).toBe(false);
        },
        TIMEOUT_MS,
      );
    }

    it(
      'says why: a secret that is not there',
      async () => {
        await cluster.delete(`${cluster.base}/secrets/maps-api-keys`);
        const failure = await failStart({ secrets: ['API_KEY'] });
        expect(failure).toMatchObject({ kind: 'refused', retryable: false });
        expect(failure.message).toMatch(/secret "maps-api-keys" not found/);
        expect(failure.hint).toMatch(/secret\.yaml/);
        await cluster.post(`${cluster.base}/secrets`, { metadata: { name: 'maps-api-keys' } });
      },
      TIMEOUT_MS,
    );

    const registries = [
      ['has no such image', 404, '', false, /not found/],
      ['forbids the image', 403, '', false, /403|forbidden|denied/i],
      ['is in trouble', 503, 'in trouble', true, /503/],
      ['is asked too much', 429, 'too many', true, /429/],
    ] as const;
    it(
      `says why: a registry that ${registries.map(([what]) => what).join(', ')}`,
      async () => {
        // What may pass by itself is waited for half a minute, so all wait at the same time.
        const failures = await Promise.all(registries.map(([, status, body]) => failPull(status, body)));
        for (const [n, [what, , , retryable, message]] of registries.entries()) {
          expect([what, failures[n]]).toEqual([
            what,
            expect.objectContaining({
              kind: 'imageUnavailable',
              retryable,
              message: expect.stringMatching(message),
              hint: expect.stringMatching(/K8S_IMAGE_PULL_SECRETS/),
            }),
          ]);
        }
        await expectNothingLeft();
      },
      TIMEOUT_MS,
    );

    const failPull = async (status: number, body: string): Promise<StartFailure> => {
      const registry = await FakeImageRegistry.open(status, body);
      try {
        const image = `${registry.image('team/image')}:1`;
        const workload = await bench.prepare({ script: ENDS, image });
        await workload.start();
        const failure = failureOf(await workload.exit(bench.provider, TIMEOUT_MS - 10_000));
        expect((await workload.spool()).started).toBe(false);
        return failure;
      } finally {
        await registry.close();
      }
    };

    it(
      'takes the words of a registry for what they are, however long the name of the image is',
      async () => {
        const registry = await FakeImageRegistry.open(404);
        const failure = await failStart({ image: `${registry.image(`${'long/'.repeat(30)}image`)}:1` });
        await registry.close();
        expect(failure).toMatchObject({ kind: 'imageUnavailable', retryable: false });
      },
      TIMEOUT_MS,
    );

    const unrunnable = [
      ['a program that is not there', ['/no/such/program'], /no such file/],
      ['a program that may not be run', ['/etc/passwd'], /permission denied/],
    ] as const;
    for (const [what, command, message] of unrunnable) {
      it(
        `says why: ${what}`,
        async () => {
          const workload = await startAltered(cluster, bench, { script: ENDS }, setCommand([...command]));
          const failure = failureOf(await workload.exit());
          expect(failure).toMatchObject({ kind: 'refused', retryable: false });
          expect(failure.message).toMatch(message);
          expect(failure.hint).toMatch(/runner-image/);
          await bench.provider.remove(workload.handle);
          await expectNothingLeft();
        },
        TIMEOUT_MS,
      );
    }

    it(
      'says why: a container that cannot be made',
      async () => {
        const workload = await startAltered(cluster, bench, { script: ENDS }, (spec) => {
          spec.containers[0]!.workingDir = '/etc/passwd';
        });
        const failure = failureOf(await workload.exit());
        expect(failure.message).toMatch(/not a directory/);
        expect(failure).toMatchObject({ kind: 'refused', retryable: false });
        await bench.provider.remove(workload.handle);
        await expectNothingLeft();
      },
      TIMEOUT_MS,
    );

    it(
      'says why: no node has room',
      async () => {
        const runtime = await runtimeWith({}, { startTimeoutSeconds: 2 });
        const failure = await failStart({ limits: { cpus: 100_000 } }, runtime);
        expect(failure).toMatchObject({ kind: 'unschedulable', retryable: true });
        expect(failure.message).toMatch(/Insufficient cpu/);
        expect(failure.hint).toBeDefined();
      },
      TIMEOUT_MS,
    );

    it(
      'says why: a volume claim that is not there, or not bound',
      async () => {
        const volumeClaims = { ...cluster.options('/').volumeClaims, datasets: 'maps-no-datasets' };
        const runtime = await runtimeWith({}, { startTimeoutSeconds: 2, volumeClaims });
        const missing = await failStart({}, runtime);
        expect(missing).toMatchObject({ kind: 'unschedulable', retryable: true });
        expect(missing.message).toMatch(/"maps-no-datasets" not found/);
        expect(missing.hint).toMatch(/kubectl get pvc/);
        const path = `${cluster.base}/persistentvolumeclaims`;
        await cluster.post(path, {
          metadata: { name: volumeClaims.datasets },
          spec: {
            accessModes: ['ReadOnlyMany'],
            storageClassName: 'no-such-class',
            resources: { requests: { storage: '1Gi' } },
          },
        });
        const pending = await failStart({}, runtime);
        expect(pending).toMatchObject({ kind: 'unschedulable', retryable: true });
        expect(pending.message).toMatch(/unbound immediate PersistentVolumeClaims/);
        await cluster.delete(`${path}/${volumeClaims.datasets}`);
      },
      TIMEOUT_MS,
    );

    for (const resource of ['pods', 'count/configmaps']) {
      it(
        `says why: a quota of ${resource} that is used up`,
        async () => {
          const path = `${cluster.base}/resourcequotas/none`;
          await cluster.post(`${cluster.base}/resourcequotas`, {
            metadata: { name: 'none' },
            spec: { hard: { [resource]: '0' } },
          });
          await waitFor(async () => (await cluster.get<{ status?: { hard?: object } }>(path)).status?.hard, {
            describe: () => 'the quota in force',
          });
          const failure = await failCreate();
          expect(failure).toMatchObject({ kind: 'unschedulable', retryable: true });
          expect(failure.message).toMatch(/exceeded quota: none/);
          expect(failure.hint).toMatch(/ResourceQuota/);
        },
        TIMEOUT_MS,
      );
    }

    it('says why: the limits of the namespace', async () => {
      await cluster.post(`${cluster.base}/limitranges`, {
        metadata: { name: 'small' },
        spec: { limits: [{ type: 'Container', max: { memory: '64Mi' } }] },
      });
      const failure = await waitFor(() => failCreate({ limits: { memoryMb: 128 } }));
      expect(failure).toMatchObject({ kind: 'refused', retryable: false });
      expect(failure.message).toMatch(/maximum memory usage per Container is 64Mi/);
      expect(failure.hint).toMatch(/LimitRange/);
    });

    for (const [code, words] of [
      [403, 'no thanks'],
      [400, 'bad pod'],
      [422, 'not so'],
    ] as const) {
      it(
        `says why: an admission webhook that refuses with ${code}`,
        async () => {
          const webhook = await RefusingWebhook.open(cluster, { code, message: words });
          try {
            const failure = await waitFor(() => failCreate());
            expect(failure).toMatchObject({ kind: 'refused', retryable: false });
            expect(failure.message).toContain(`admission webhook "policy.example.com" denied`);
            expect(failure.message).toContain(words);
            expect(failure.hint).toMatch(/admission/);
          } finally {
            await webhook.close();
          }
        },
        TIMEOUT_MS,
      );
    }

    it(
      'tries again later when an admission webhook is broken',
      async () => {
        const webhook = await RefusingWebhook.open(cluster, undefined);
        let workload: Workload | undefined;
        try {
          await waitFor(async () => {
            workload = await bench.prepare({ script: ENDS });
            return (await workload.start().catch(isUnavailable)) === true;
          });
          await expect(workload!.start()).rejects.toThrow(/failed calling webhook/);
        } finally {
          await webhook.close();
        }
        await waitFor(() => workload!.start());
        expect(await workload!.exit()).toMatchObject({ kind: 'exited', exitCode: 0 });
      },
      TIMEOUT_MS,
    );

    it('leaves the pod of another installation as it is, and its ConfigMap', async () => {
      const workload = await bench.prepare({ script: ENDS });
      const other = await runtimeWith({}, { installationId: 'other' });
      const handle = await other.start(workload.spec);
      const error: unknown = await workload.start().catch((each: unknown) => each);
      expect(error).toBeInstanceOf(WorkloadStartError);
      expect((error as WorkloadStartError).failure).toMatchObject({ kind: 'refused', retryable: false });
      expect((error as WorkloadStartError).failure.message).toMatch(/not of this installation/);
      const path = `${cluster.base}/configmaps/${workload.spec.name}`;
      expect(await cluster.find(path)).toBeDefined();
      expect(await other.wait(handle)).toMatchObject({ kind: 'exited', exitCode: 0 });
      await other.remove(handle);
      expect(await cluster.find(path)).toBeUndefined();
    });
  });
});
