import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Global, Module } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import { Test } from '@nestjs/testing';
import { loadConfig } from '../../src/config/load-config.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { Database } from '../../src/database/database.js';
import { DatabaseModule } from '../../src/database/database.module.js';
import type { JobRow } from '../../src/database/tables.js';
import { DataOwnership } from '../../src/execution/data-ownership.js';
import { ExecutionModule } from '../../src/execution/execution.module.js';
import { OrphanSweeper } from '../../src/execution/orphan-sweeper.js';
import { JobRepository } from '../../src/jobs/job.repository.js';
import { JobService } from '../../src/jobs/job.service.js';
import { LogModule } from '../../src/log.module.js';
import { FakeEngine } from '../../src/runtime/fake/fake-engine.js';
import type { FakeWorkload } from '../../src/runtime/fake/fake-workload.js';
import { FakeRuntime } from '../../src/runtime/fake/fake.runtime.js';
import { RuntimeHealthMonitor } from '../../src/runtime/runtime-health.js';
import { RUNTIME_PROVIDER } from '../../src/runtime/runtime-provider.js';
import { WorkspaceModule } from '../../src/workspace/workspace.module.js';
import { RunnerSpool } from '../support/runtime-fake-spool.js';
import { waitFor } from '../support/wait-for.js';

const TERMINAL = /SUCCEEDED|FAILED|TIMED_OUT|CANCELLED|LOST/;

describe('execution', () => {
  let engine: FakeEngine;
  let dataDir: string;
  let server: TestingModule;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'maps-execution-'));
    engine = new FakeEngine({ spool: new RunnerSpool(), secondMs: 1, allowKillByRemove: true });
    server = await startServer();
  });

  afterEach(async () => {
    await server.close();
    await rm(dataDir, { recursive: true, force: true });
    expect(engine.violations).toEqual([]);
  });

  async function startServer(more: Record<string, string> = {}): Promise<TestingModule> {
    const provider = { provide: RUNTIME_PROVIDER, useValue: new FakeRuntime(engine) };

    @Global()
    @Module({
      providers: [provider, RuntimeHealthMonitor],
      exports: [RUNTIME_PROVIDER, RuntimeHealthMonitor],
    })
    class FakeRuntimeModule {}

    const variables = {
      DATA_DIR: dataDir,
      LOG_LEVEL: 'silent',
      MAX_CONCURRENT_JOBS: '2',
      STOP_GRACE_SECONDS: '1',
      ...more,
    };
    const module = await Test.createTestingModule({
      imports: [
        ConfigModule.forRoot(variables),
        LogModule,
        DatabaseModule,
        WorkspaceModule,
        FakeRuntimeModule,
        ExecutionModule,
      ],
    }).compile();
    return module.init();
  }

  async function submit(more: object = {}): Promise<string> {
    const job = await server.get(JobService).submit({
      script: 'x',
      request: null,
      files: [],
      environment: 'default',
      name: null,
      labels: [],
      priority: 0,
      timeoutSeconds: 60,
      memoryMb: 64,
      cpus: 1,
      network: 'NONE',
      env: {},
      secrets: [],
      retries: 0,
      idempotencyKey: null,
      ...more,
    });
    return job.id;
  }

  async function waitForState(id: string, state: RegExp): Promise<JobRow> {
    let last: JobRow | undefined;
    const seen = await waitFor(
      async () => {
        last = await server.get(JobRepository).find(id);
        return last && state.test(last.state) ? last : undefined;
      },
      { deadlineMs: 10_000, describe: () => `job in ${String(state)}, last ${JSON.stringify(last)}` },
    );
    return seen;
  }

  const running = (name: string): Promise<FakeWorkload> =>
    waitFor(() => {
      const workload = engine.workload(name);
      return workload.state === 'running' ? workload : undefined;
    });

  it('takes a job from the queue to its end, and leaves no workload', async () => {
    const id = await submit();
    const workload = await running(`runner-${id}`);
    expect(await waitForState(id, /RUNNING/)).toMatchObject({ attempt: 1, epoch: 1 });
    workload.end();
    expect(await waitForState(id, TERMINAL)).toMatchObject({
      state: 'SUCCEEDED',
      reason: 'EXIT_ZERO',
      exit_code: 0,
    });
    await waitFor(async () => (await new FakeRuntime(engine).list()).length === 0);
  });

  it('starts again by itself, as a new attempt, what failed before the script ran', async () => {
    engine.failNextStart({ kind: 'failed', message: 'no space', retryable: true });
    const id = await submit();
    (await running(`runner-${id}-2`)).end();
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
    const attempts = await server.get(JobRepository).attempts([id]);
    expect(attempts.map(({ reason, message }) => [reason, message])).toEqual([
      ['START_FAILED', 'no space'],
      ['EXIT_ZERO', 'The script ended normally.'],
    ]);
  });

  it('fails at once what cannot get better, with the hint that mends it', async () => {
    const failure = {
      kind: 'imageUnavailable',
      message: 'no image',
      hint: 'docker build',
      retryable: false,
    } as const;
    engine.failNextStart(failure);
    expect(await waitForState(await submit(), TERMINAL)).toMatchObject({
      state: 'FAILED',
      reason: 'IMAGE_UNAVAILABLE',
      hint: 'docker build',
    });
  });

  it('asks again for a start whose answer was lost, and starts once', async () => {
    engine.loseNextAnswer();
    const id = await submit();
    (await running(`runner-${id}`)).end();
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
    expect(engine.starts).toEqual([`runner-${id}`]);
  });

  it('lets jobs wait while the engine is away, and takes them when it is back', async () => {
    engine.goAway();
    const id = await submit();
    await waitForState(id, /QUEUED|STARTING/);
    engine.comeBack();
    (await running(`runner-${id}`)).end();
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
  });

  it('never calls a vanished workload a success', async () => {
    const id = await submit();
    await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    engine.vanish(`runner-${id}`);
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'LOST' });
  });

  it('cancels a live job by stopping its workload', async () => {
    const id = await submit();
    const workload = await running(`runner-${id}`);
    await server.get(JobService).cancel(id);
    expect(await waitForState(id, TERMINAL)).toMatchObject({
      state: 'CANCELLED',
      reason: 'CANCELLED_BY_USER',
    });
    expect(workload.stops).toContain(1);
  });

  it('runs no more at a time than allowed, most important first', async () => {
    const first = [await submit(), await submit()];
    for (const id of first) await running(`runner-${id}`);
    const low = await submit();
    const high = await submit({ priority: 9 });
    expect(engine.starts).toHaveLength(2);
    engine.workload(`runner-${first[0]}`).end();
    await running(`runner-${high}`);
    expect(engine.starts).toHaveLength(3);
    for (const id of [high, first[1]]) engine.workload(`runner-${id}`).end();
    (await running(`runner-${low}`)).end();
    await waitForState(low, /SUCCEEDED/);
  });

  it('leaves its workloads running when it stops; the next server sees them through with the next epoch', async () => {
    const id = await submit();
    const workload = await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    await server.close();
    expect(workload.state).toBe('running');
    server = await startServer();
    workload.end();
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1, epoch: 2 });
    expect(engine.starts).toHaveLength(1);
  });

  it('settles with its true outcome what ended while no server ran', async () => {
    const id = await submit();
    const workload = await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    await server.close();
    workload.end({ kind: 'exited', exitCode: 3, oomKilled: false });
    server = await startServer();
    expect(await waitForState(id, TERMINAL)).toMatchObject({
      state: 'FAILED',
      reason: 'EXIT_NONZERO',
      exit_code: 3,
    });
  });

  it('finds by its name a workload whose handle was not stored any more', async () => {
    const id = await submit();
    const workload = await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    await server.get(Database).db.updateTable('attempts').set({ handle: null }).execute();
    await server.close();
    server = await startServer();
    workload.end();
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
  });

  it('calls a job lost whose workload is gone after a restart', async () => {
    const id = await submit();
    await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    await server.get(Database).db.updateTable('attempts').set({ handle: null }).execute();
    await server.close();
    engine.vanish(`runner-${id}`);
    server = await startServer();
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'LOST', reason: 'RUNTIME_LOST' });
  });

  it('gives a new attempt to a job whose order was never written', async () => {
    const id = await submit();
    await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    await server
      .get(Database)
      .db.updateTable('attempts')
      .set({ handle: null, workspace: 'never-made', started_at: null })
      .execute();
    await server.close();
    engine.vanish(`runner-${id}`);
    server = await startServer();
    (await running(`runner-${id}-2`)).end();
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
  });

  it('calls a cancel what a server before it stopped, whatever the script made of it', async () => {
    const id = await submit();
    const workload = await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    await server.close();
    workload.end({ kind: 'exited', exitCode: 143, oomKilled: false });
    const database = new Database(loadConfig({ DATA_DIR: dataDir }));
    await database.db.updateTable('jobs').set({ cancel_requested: 1 }).execute();
    await database.onApplicationShutdown();
    server = await startServer();
    expect(await waitForState(id, TERMINAL)).toMatchObject({
      state: 'CANCELLED',
      reason: 'CANCELLED_BY_USER',
    });
  });

  it('ends an attempt whose start failed in a way nobody foresaw', async () => {
    engine.onStart = () => {
      throw new Error('a fault of ours');
    };
    expect(await waitForState(await submit(), TERMINAL)).toMatchObject({
      state: 'FAILED',
      reason: 'START_FAILED',
      attempt: 1,
    });
  });

  it('sweeps nothing that another database’s jobs left', async () => {
    expect(await server.get(DataOwnership).isOurs()).toBe(true);
    await server.close();
    server = await startServer({ DATABASE_URL: `sqlite:${join(dataDir, 'other.sqlite')}` });
    expect(await server.get(DataOwnership).isOurs()).toBe(false);
    await server.close();
    server = await startServer();
    expect(await server.get(DataOwnership).isOurs()).toBe(true);
  });

  it('sweeps workloads of no live job, and leaves those of live ones', async () => {
    const id = await submit();
    await running(`runner-${id}`);
    const orphan = engine.make({ ...engine.workload(`runner-${id}`).spec, name: 'runner-orphan' });
    expect(await server.get(OrphanSweeper).sweep(new AbortController().signal, -1000)).toMatchObject({
      workloads: 1,
    });
    expect((await new FakeRuntime(engine).list()).map(({ name }) => name)).toEqual([`runner-${id}`]);
    expect(orphan).toBeDefined();
    engine.workload(`runner-${id}`).end();
    await waitForState(id, TERMINAL);
  });
});
