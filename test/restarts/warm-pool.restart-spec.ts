import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { JobRepository } from '../../src/jobs/store/job.repository.js';
import { createDockerRuntime } from '../../src/runtime/docker/docker.runtime.js';
import { WarmPool } from '../../src/runtime/pool/warm-pool.js';
import type { RuntimeProvider } from '../../src/runtime/runtime-provider.js';
import { startExecutionOn, submitTo, waitForState } from '../support/service/execution-server.js';
import { PATIENCE_MS } from '../support/runtimes/runtime-bench.js';
import {
  KUBE_IMAGE,
  TestCluster,
  whyNoKubernetes,
} from '../support/runtimes/kubernetes/runtime-kubernetes.js';
import { describeTier } from '../support/runtimes/runtime-tier.js';
import { ENGINE_IMAGE, TestEngine, whyNoTestEngine } from '../support/runtimes/docker/test-engine.js';
import { waitFor } from '../support/wait-for.js';
import { CALLER } from '../support/service/caller.js';
import { SILENT_LOG } from '../support/recorded-log.js';

const TIMEOUT_MS = 360_000;
const MEMORY_MB = 256;

/** A server with two workers that wait, and what happens to its jobs. */
class PooledServer {
  private constructor(
    private readonly module: TestingModule,
    private readonly dataDir: string,
  ) {}

  static async start(
    create: (dataDir: string) => Promise<RuntimeProvider>,
    image: string,
  ): Promise<PooledServer> {
    const dataDir = await mkdtemp(join(tmpdir(), 'warm-pool-'));
    await chmod(dataDir, 0o755); // the workload's user passes through it
    const module = await startExecutionOn(await create(dataDir), {
      DATA_DIR: dataDir,
      RUNNER_IMAGE: image,
      DEFAULT_MEMORY_MB: String(MEMORY_MB),
      WARM_POOL: 'default=2',
    });
    return new PooledServer(module, dataDir);
  }

  async untilReady(count = 2): Promise<void> {
    const status = (): object => this.module.get(WarmPool).status()[0]!;
    await waitFor(() => this.module.get(WarmPool).status()[0]!.ready >= count, {
      deadlineMs: PATIENCE_MS,
      describe: () => `${count} workers ready: ${JSON.stringify(status())}`,
    });
  }

  /** Runs a job to its end; resolves with how its last attempt started. */
  async run(): Promise<{ state: string; kind: string | undefined; attempts: number }> {
    const id = await submitTo(this.module, { memoryMb: MEMORY_MB, cpus: 1 });
    const { state } = await waitForState(this.module, id, /SUCCEEDED|FAILED|LOST/, PATIENCE_MS);
    const attempts = await this.module.get(JobRepository).attemptsOf(CALLER, id);
    return { state, kind: attempts.at(-1)?.startKind, attempts: attempts.length };
  }

  get workers(): string[] {
    return this.module.get(WarmPool).readyWorkloads.sort();
  }

  async close(): Promise<void> {
    await this.module.close();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

const WARM = { state: 'SUCCEEDED', kind: 'WARM', attempts: 1 };

const noCluster = process.env.TEST_KUBE_RESTART
  ? await whyNoKubernetes()
  : 'TEST_KUBE_RESTART names no command that kills a component of the cluster and starts it again.';

describeTier('kubernetes-restarts', noCluster, () => {
  describe('workers that wait on a cluster whose parts die', () => {
    let cluster: TestCluster;
    let server: PooledServer | undefined;

    beforeAll(async () => {
      cluster = await TestCluster.open();
      server = await PooledServer.start(
        (folder) => cluster.runtime(folder, { reconcileMs: 2_000 }),
        KUBE_IMAGE,
      );
    }, TIMEOUT_MS);

    afterAll(async () => {
      await server?.close();
      await waitFor(async () => (await cluster.objectsLeft()).length === 0, {
        deadlineMs: PATIENCE_MS,
        describe: () => 'nothing left in the namespace',
      });
      await cluster.close();
    }, TIMEOUT_MS);

    it.each([
      ['kube-apiserver', 15],
      ['containerd', 3],
      ['kubelet', 5],
    ])(
      'wait on, and take their jobs, after %s was away for %d s',
      async (name, seconds) => {
        await server!.untilReady();
        const before = server!.workers;
        await promisify(execFile)(process.env.TEST_KUBE_RESTART!, [name, String(seconds)]);
        await server!.untilReady();
        expect(server!.workers).toEqual(before);
        expect(await server!.run()).toEqual(WARM);
      },
      TIMEOUT_MS,
    );
  });
});

describeTier('docker-restarts', await whyNoTestEngine(), () => {
  describe.each([true, false])('workers that wait on an engine with live-restore %s', (liveRestore) => {
    let engine: TestEngine;
    let server: PooledServer | undefined;

    beforeAll(async () => {
      engine = await TestEngine.open({ liveRestore });
      const installationId = `test-${randomUUID()}`;
      server = await PooledServer.start(
        (dataDir) =>
          createDockerRuntime({ dataDir, installationId, log: SILENT_LOG, dockerHost: engine.host }),
        ENGINE_IMAGE,
      );
    }, TIMEOUT_MS);

    afterEach(() => engine.start(), TIMEOUT_MS);

    afterAll(async () => {
      try {
        await server?.close();
        expect(await engine.client().listContainers({ all: true })).toEqual([]);
      } finally {
        await engine.close();
      }
    }, TIMEOUT_MS);

    it(
      liveRestore
        ? 'outlive the engine, and take their jobs'
        : 'end with the engine, and others take their places',
      async () => {
        await server!.untilReady();
        const before = server!.workers;
        await engine.end('SIGKILL', ['dockerd']);
        await engine.start();
        if (!liveRestore) {
          await waitFor(() => server!.workers.every((worker) => !before.includes(worker)), {
            deadlineMs: PATIENCE_MS,
          });
        }
        await server!.untilReady();
        if (liveRestore) expect(server!.workers).toEqual(before);
        expect(await server!.run()).toEqual(WARM);
      },
      TIMEOUT_MS,
    );
  });
});
