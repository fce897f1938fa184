import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { relative } from 'node:path';
import Docker from 'dockerode';
import { createDockerClient } from '../../../src/runtime/docker/docker-client.js';
import { DockerEngine } from '../../../src/runtime/docker/docker-engine.js';
import type { DockerHandle } from '../../../src/runtime/docker/docker.runtime.js';
import { createDockerRuntime } from '../../../src/runtime/docker/docker.runtime.js';
import { probeDocker } from '../../../src/runtime/docker/probe-docker.js';
import { startContainer } from '../../../src/runtime/docker/start-container.js';
import { toContainerConfig } from '../../../src/runtime/docker/to-container-config.js';
import { decodeHandle } from '../../../src/runtime/handle.js';
import { publicMessage } from '../../../src/runtime/public-message.js';
import type { RuntimeProvider, StartFailure, WorkloadSpec } from '../../../src/runtime/runtime-provider.js';
import { WorkloadStartError } from '../../../src/runtime/runtime.errors.js';
import { runnerUser } from '../../../src/workspace/runner-user.js';
import { RuntimeBench } from '../../support/runtimes/runtime-bench.js';
import { DockerBackdoor, whyNoDocker } from '../../support/runtimes/docker/runtime-docker.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { SILENT_LOG } from '../../support/recorded-log.js';

const IMAGE = 'py-exec:slim';
const RUNS_ON = 'import time\nprint("ready", flush=True)\nwhile True: time.sleep(60)\n';
const ENDS_WITH_3 = 'raise SystemExit(3)\n';
const TIMEOUT_MS = 180_000;

describeTier('docker', await whyNoDocker(IMAGE), () => {
  describe('the docker runtime and what the engine refuses', () => {
    const docker = new Docker();
    const installationId = `test-${randomUUID()}`;
    const others: RuntimeProvider[] = [];
    let bench: RuntimeBench;

    beforeAll(async () => {
      bench = await RuntimeBench.open({
        create: (dataDir) => createDockerRuntime({ dataDir, installationId, log: SILENT_LOG }),
        hooks: new DockerBackdoor(docker, installationId),
        image: IMAGE,
      });
    });

    afterEach(async () => {
      for (const other of others.splice(0)) await other.close();
      await bench.tidy();
    }, TIMEOUT_MS);

    afterAll(async () => {
      expect(await bench.close()).toEqual([]);
    }, TIMEOUT_MS);

    const other = async (options: object): Promise<RuntimeProvider> => {
      const dataDir = bench.dataDir;
      const provider = await createDockerRuntime({ dataDir, installationId, log: SILENT_LOG, ...options });
      others.push(provider);
      return provider;
    };

    it('refuses a workspace that is not there, and leaves nothing', async () => {
      const workload = await bench.prepare({ script: ENDS_WITH_3 });
      await rm(workload.spec.workspace.spoolDir, { recursive: true });
      const failure = await failureOf(bench.provider.start(workload.spec));
      expect(failure).toMatchObject({ kind: 'refused', retryable: false });
      expect(publicMessage(failure)).not.toContain(bench.dataDir);
      expect(await bench.provider.list()).toEqual([]);
    });

    it('refuses an OCI runtime that the engine does not know, and leaves nothing', async () => {
      const provider = await other({ ociRuntime: 'no-such-runtime' });
      const workload = await bench.prepare({ script: ENDS_WITH_3 });
      const failure = await failureOf(provider.start(workload.spec));
      expect(failure.message).toContain('no-such-runtime');
      expect(await bench.provider.list()).toEqual([]);
    });

    it('removes a container that could not be started', async () => {
      const { spec } = await bench.prepare({ script: ENDS_WITH_3 });
      const client = createDockerClient(undefined);
      try {
        const container = withoutCommand(spec, installationId);
        const start = startContainer(new DockerEngine(client), container, undefined, SILENT_LOG);
        expect(await failureOf(start)).toMatchObject({ message: expect.stringContaining('could not start') });
        expect(await bench.provider.list()).toEqual([]);
      } finally {
        client.close();
      }
    });

    it('finds that a container failed to start under a server that died of it', async () => {
      const workload = await bench.prepare({ script: ENDS_WITH_3 });
      const { name, config } = withoutCommand(workload.spec, installationId);
      const container = await docker.createContainer({ ...config, name });
      await container.start().catch(() => undefined);
      const [listed] = await bench.provider.list();
      workload.handle = listed!.handle;
      expect(listed).toMatchObject({ state: 'created' });
      expect(await workload.exit()).toMatchObject({ kind: 'startFailed', failure: { kind: 'failed' } });
    });

    it('neither lists nor takes over the workloads of another installation', async () => {
      const workload = await bench.start({ script: RUNS_ON });
      const stranger = await other({ installationId: `test-${randomUUID()}` });
      expect(await stranger.list()).toEqual([]);
      expect(await failureOf(stranger.start(workload.spec))).toMatchObject({ kind: 'refused' });
      expect(await bench.provider.list()).toMatchObject([{ state: 'running' }]);
    });

    it('gives a container no variable besides those of its image', async () => {
      const workload = await bench.start({ script: RUNS_ON, env: { GREETING: 'hello' } });
      const { id } = decodeHandle<DockerHandle>(workload.handle, 'docker')!;
      const container = await docker.getContainer(id).inspect();
      const image = await docker.getImage(IMAGE).inspect();
      expect(container.Config.Env.sort()).toEqual(image.Config.Env.sort());
    });

    it('mounts the folders where they are on the host of a server that runs in a container itself', async () => {
      const provider = await other({ dataDir: '/nowhere/here', hostDataDir: bench.dataDir });
      const workload = await bench.prepare({ script: ENDS_WITH_3 });
      const inside = (path: string): string => `/nowhere/here/${relative(bench.dataDir, path)}`;
      const { id, inputDir, jobDir, outputDir, spoolDir } = workload.spec.workspace;
      const workspace = {
        id,
        inputDir: inside(inputDir),
        jobDir: inside(jobDir),
        outputDir: inside(outputDir),
        spoolDir: inside(spoolDir),
      };
      workload.handle = await provider.start({ ...workload.spec, workspace });
      expect(await workload.exit()).toMatchObject({ kind: 'exited', exitCode: 3 });
    });

    it('tells by a probe whether the engine has the image, and what makes it', async () => {
      expect(await probeDocker({ image: IMAGE })).toMatchObject({ fits: true });
      const { fits, reason } = await probeDocker({ image: 'py-exec:no-such-target' });
      expect(fits).toBe(false);
      expect(reason).toContain('docker build --target no-such-target -t py-exec:no-such-target runner-image');
    });
  });
});

function withoutCommand(spec: WorkloadSpec, installationId: string): ReturnType<typeof toContainerConfig> {
  const { name, config } = toContainerConfig(spec, { dataDir: '/', installationId }, runnerUser());
  return { name, config: { ...config, Cmd: ['/no/such/command'] } };
}

async function failureOf(start: Promise<unknown>): Promise<StartFailure> {
  const error: unknown = await start.then(
    () => new Error('it started'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof WorkloadStartError)) throw error;
  return error.failure;
}
