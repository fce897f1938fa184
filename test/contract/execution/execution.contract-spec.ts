import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { newId } from '../../../src/common/ids.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { Database } from '../../../src/database/database.js';
import type { Principal } from '../../../src/common/principal.js';
import type { Job } from '../../../src/jobs/record/job.js';
import { DataOwnership } from '../../../src/execution/upkeep/data-ownership.js';
import { OrphanSweeper } from '../../../src/execution/upkeep/orphan-sweeper.js';
import { Recovery } from '../../../src/execution/takeover/recovery.js';
import { AttemptWatcher } from '../../../src/execution/attempt/attempt-watcher.js';
import { RunningAttempts } from '../../../src/execution/attempt/running-attempts.js';
import { ClaimRepository } from '../../../src/jobs/store/claim.repository.js';
import { JobEvents } from '../../../src/jobs/record/job-events.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import { SubmissionRepository } from '../../../src/jobs/store/submission.repository.js';
import { JobService } from '../../../src/jobs/job.service.js';
import { exited } from '../../support/runtimes/fake/fake-workload.js';
import { FakeRuntime } from '../../support/runtimes/fake/fake.runtime.js';
import { RuntimeHealthMonitor } from '../../../src/runtime/runtime-health.js';
import type { RuntimeProvider } from '../../../src/runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../../src/runtime/runtime-provider.js';
import { WorkspaceOrders } from '../../../src/workspace/workspace-orders.js';
import { WorkspaceSpools } from '../../../src/workspace/workspace-spools.js';
import { spoolPath, workspacePaths } from '../../../src/workspace/workspace-paths.js';
import { PLACES, whileNobodyClaims } from '../../support/service/execution-server.js';
import { submission } from '../../support/service/job-submission.js';
import { RunnerSpool } from '../../support/runtimes/fake/fake-spool.js';
import { ExecutionBench, TERMINAL } from '../../support/service/execution-bench.js';
import { waitFor } from '../../support/wait-for.js';
import { CALLER } from '../../support/service/caller.js';

describe('execution', () => {
  let bench: ExecutionBench;

  beforeEach(async () => {
    bench = await ExecutionBench.open();
  });

  afterEach(async () => {
    await bench.close();
    expect(bench.engine.violations).toEqual([]);
  });

  it('takes a job from the queue to its end, and leaves no workload', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    expect(await bench.waitForState(id, /RUNNING/)).toMatchObject({ attempt: 1, epoch: 1 });
    workload.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'SUCCEEDED',
      reason: 'EXIT_ZERO',
      exitCode: 0,
    });
    await waitFor(async () => (await new FakeRuntime(bench.engine).list()).length === 0);
  });

  it('tells the end that the runner signed at once, and frees the slot when the engine is through', async () => {
    const ids = await Promise.all(Array.from({ length: PLACES }, () => bench.submit()));
    const workloads = await Promise.all(ids.map((id) => bench.running(`runner-${id}`)));
    const waiting = await bench.submit();
    workloads[0]!.endScript();
    expect(await bench.waitForState(ids[0]!, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', exitCode: 0 });
    expect(workloads[0]!.state).toBe('running');
    expect((await bench.waitForState(waiting, /./)).state).toBe('QUEUED');
    expect(bench.server.get(RunningAttempts).free).toBe(0);
    await bench.server.get(JobService).delete(CALLER, ids[0]!);
    workloads[0]!.settle(exited(0));
    (await bench.running(`runner-${waiting}`)).end();
    workloads[1]!.end();
    for (const id of [waiting, ids[1]!]) await bench.waitForState(id, TERMINAL);
  });

  /** Jobs are taken as they are stored from when the server has looked for those of others. */
  const untilTaking = async (): Promise<void> => {
    const id = await bench.submit();
    (await bench.running(`runner-${id}`)).end();
    await bench.waitForState(id, TERMINAL);
  };
  const send = (): Promise<Job> => bench.server.get(JobService).submit(CALLER, submission({}));
  const finish = async ({ id }: Job): Promise<unknown> => {
    (await bench.running(`runner-${id}`)).end();
    return bench.waitForState(id, TERMINAL);
  };

  it('takes jobs with the commits that store them, as many as there are slots', async () => {
    await untilTaking();
    const sent = await whileNobodyClaims(bench.server, () => Promise.all([send(), send(), send()]));
    expect(sent.map(({ state }) => state).sort()).toEqual(['QUEUED', 'STARTING', 'STARTING']);
    expect(sent.map(({ attempt }) => attempt).sort()).toEqual([0, 1, 1]);
    await Promise.all(sent.map(finish));
    expect(bench.engine.starts).toHaveLength(4);
  });

  it('keeps no slot for a job that could not be stored', async () => {
    await untilTaking();
    const insert = jest
      .spyOn(bench.server.get(SubmissionRepository), 'insert')
      .mockRejectedValue(new Error('no disk'));
    for (let n = 0; n < 3; n++) await expect(send()).rejects.toThrow('no disk');
    insert.mockRestore();
    const sent = await whileNobodyClaims(bench.server, async () => [await send(), await send()]);
    expect(sent.map(({ state }) => state)).toEqual(['STARTING', 'STARTING']);
    await Promise.all(sent.map(finish));
  });

  it('lets a caller do what its scopes name', async () => {
    const jobs = bench.server.get(JobService);
    const reader: Principal = { ...CALLER, scopes: new Set(['jobs:read']) };
    const sent = await send();
    const refused = { code: 'FORBIDDEN', message: expect.stringContaining('jobs:write') };
    await expect(jobs.submit(reader, submission({}))).rejects.toMatchObject(refused);
    await expect(jobs.cancel(reader, sent.id)).rejects.toMatchObject(refused);
    await expect(jobs.delete(reader, sent.id)).rejects.toMatchObject(refused);
    expect(await jobs.get(reader, sent.id)).toMatchObject({ id: sent.id });
    expect(await jobs.list(reader, {}, 10)).toHaveLength(1);
    const writer: Principal = { ...CALLER, scopes: new Set(['jobs:write']) };
    await expect(jobs.get(writer, sent.id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(jobs.list(writer, {}, 10)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await finish(sent);
  });

  it('takes a job that came while the last slot was kept for one that could not be stored', async () => {
    await untilTaking();
    const [busy] = await whileNobodyClaims(bench.server, async () => [await send()]);
    const jobs = bench.server.get(SubmissionRepository);
    let fail: (error: Error) => void = () => undefined;
    const insert = jest
      .spyOn(jobs, 'insert')
      .mockImplementationOnce(() => new Promise((_, reject) => (fail = reject)));
    const refused = expect(send()).rejects.toThrow('no disk');
    await waitFor(() => insert.mock.calls.length === 1);
    const waiting = await send();
    expect(waiting.state).toBe('QUEUED');
    fail(new Error('no disk'));
    await refused;
    await Promise.all([busy, waiting].map(finish));
    insert.mockRestore();
  });

  it('takes no more jobs than there are slots while others are being claimed', async () => {
    await untilTaking();
    const claims = bench.server.get(ClaimRepository);
    const claim = claims.claim.bind(claims);
    let letGo: () => void = () => undefined;
    const held = jest.spyOn(claims, 'claim').mockImplementation(async (...args) => {
      const claimed = await claim(...args);
      if (claimed.length > 0) await new Promise<void>((resolve) => (letGo = resolve));
      return claimed;
    });
    const insert = () =>
      bench.server
        .get(SubmissionRepository)
        .insert(CALLER, submission({}), { id: newId(), nowMs: Date.now(), maxQueued: 1000 });
    // Both are there before either can be claimed.
    const first = await whileNobodyClaims(bench.server, async () => [
      (await insert()).job,
      (await insert()).job,
    ]);
    bench.server.get(JobEvents).publishQueuedLocal();
    await bench.waitForState(first[1]!.id, /STARTING/);
    const third = await send();
    expect(third.state).toBe('QUEUED');
    held.mockRestore();
    letGo();
    for (const { id } of first) await bench.running(`runner-${id}`);
    expect(bench.server.get(RunningAttempts).count).toBe(PLACES);
    await Promise.all([...first, third].map(finish));
  });

  it('lets a job wait where the engine is known to be away', async () => {
    await untilTaking();
    bench.engine.goAway();
    bench.server.get(RuntimeHealthMonitor).suspect();
    await waitFor(() => !bench.server.get(RuntimeHealthMonitor).isHealthy);
    const job = await send();
    expect(job.state).toBe('QUEUED');
    bench.engine.comeBack();
    await finish(job);
  });

  it('stores the handle of a workload with the start of its script', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    expect((await bench.server.get(JobRepository).attempt(CALLER, id, 1))?.handle).toBe(workload.handle);
    workload.end();
    await bench.waitForState(id, TERMINAL);
  });

  it('stores the handle of a workload whose script is long in coming', async () => {
    const start = jest.spyOn(RunnerSpool.prototype, 'started').mockImplementation(() => undefined);
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    const stored = async (): Promise<string | null | undefined> =>
      (await bench.server.get(JobRepository).attempt(CALLER, id, 1))?.handle;
    expect(await waitFor(stored)).toBe(workload.handle);
    expect((await bench.server.get(JobRepository).find(CALLER, id))?.state).toBe('STARTING');
    start.mockRestore();
    workload.end();
    await bench.waitForState(id, TERMINAL);
  });

  it('starts again by itself, as a new attempt, what failed before the script ran', async () => {
    bench.engine.failNextStart({ kind: 'failed', message: 'no space', retryable: true });
    const id = await bench.submit();
    (await bench.running(`runner-${id}-2`)).end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
    const attempts = await bench.server.get(JobRepository).attemptsOf(CALLER, id);
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
    bench.engine.failNextStart(failure);
    expect(await bench.waitForState(await bench.submit(), TERMINAL)).toMatchObject({
      state: 'FAILED',
      reason: 'IMAGE_UNAVAILABLE',
      hint: 'docker build',
    });
  });

  it('asks again for a start whose answer was lost, and starts once', async () => {
    bench.engine.loseNextAnswer();
    const id = await bench.submit();
    (await bench.running(`runner-${id}`)).end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
    expect(bench.engine.starts).toEqual([`runner-${id}`]);
  });

  it('lets jobs wait while the engine is away, and takes them when it is back', async () => {
    bench.engine.goAway();
    const id = await bench.submit();
    await bench.waitForState(id, /QUEUED|STARTING/);
    bench.engine.comeBack();
    (await bench.running(`runner-${id}`)).end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
  });

  it('never calls a vanished workload a success', async () => {
    const id = await bench.submit();
    await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    bench.engine.vanish(`runner-${id}`);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'LOST' });
  });

  it('cancels a live job by stopping its workload', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.server.get(JobService).cancel(CALLER, id);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'CANCELLED',
      reason: 'CANCELLED_BY_USER',
    });
    expect(workload.stops).toContain(1);
  });

  it('ends a job although its engine ignores the stop, says so, and does not touch what may still be written', async () => {
    Object.assign(bench.server.get(AttemptWatcher), { stopPatienceMs: 10 });
    const id = await bench.submit({ retries: 3 });
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    workload.obeysKill = false;
    await bench.server.get(JobService).cancel(CALLER, id);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'CANCELLED',
      attempt: 1,
      hint: expect.stringContaining('did not say that the workload has ended'),
    });
    expect(await bench.server.get(JobRepository).attempt(CALLER, id, 1)).toMatchObject({
      skippedOutputs: [{ path: '.', why: 'the script may still be writing' }],
    });
  });

  it('ends a job whose runtime fails to tell how its workload ends, whenever it is asked', async () => {
    Object.assign(bench.server.get(AttemptWatcher), { stopPatienceMs: 10 });
    const runtime = bench.server.get<RuntimeProvider>(RUNTIME_PROVIDER);
    runtime.wait = () => Promise.reject(new Error('the handle is damaged'));
    const id = await bench.submit();
    await bench.waitForState(id, /RUNNING/);
    (await bench.running(`runner-${id}`)).obeysKill = false;
    await bench.server.get(JobService).cancel(CALLER, id);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'CANCELLED', attempt: 1 });
  });

  it('ends a job at once that is cancelled while its engine is away, and takes away what was started all the same', async () => {
    bench.engine.goAway();
    const id = await bench.submit();
    await bench.waitForState(id, /STARTING/);
    await bench.server.get(JobService).cancel(CALLER, id);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'CANCELLED', startedAtMs: null });
    bench.engine.comeBack();
    await waitFor(async () => (await new FakeRuntime(bench.engine).list()).length === 0);
    await waitFor(() => bench.server.get(RunningAttempts).count === 0);
    expect(await readdir(join(bench.dataDir, 'workspaces', 'inputs'))).toEqual([]);
  });

  it('ends a job that is cancelled before its script begins at once, and keeps the script from beginning', async () => {
    const start = jest.spyOn(RunnerSpool.prototype, 'started').mockImplementation(() => undefined);
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.server.get(JobService).cancel(CALLER, id);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'CANCELLED', exitCode: null });
    expect(workload.stops).toEqual([]);
    const { spoolDir } = workload.spec.workspace;
    expect([existsSync(join(spoolDir, 'key')), existsSync(join(spoolDir, 'key.withdrawn'))]).toEqual([
      false,
      true,
    ]);
    start.mockRestore();
  });

  it('leaves no inputs of a job whose start was answered as a cancel took its order back', async () => {
    const id = await bench.submit();
    const { spec } = await bench.running(`runner-${id}`);
    await bench.server.get(WorkspaceOrders).withdraw(spec.workspace.id);
    await bench.server.get(JobService).cancel(CALLER, id);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'CANCELLED' });
    await waitFor(() => bench.server.get(RunningAttempts).count === 0);
    expect(await readdir(join(bench.dataDir, 'workspaces', 'inputs'))).toEqual([]);
  });

  it('calls a job cancelled that was cancelled while the platform could not start it', async () => {
    const id = await bench.submit();
    await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server.close();
    const database = new Database(loadConfig({ DATA_DIR: bench.dataDir }));
    await database.db.updateTable('jobs').set({ cancel_requested: 1, started_at: null }).execute();
    await database.db.updateTable('attempts').set({ handle: null, started_at: null }).execute();
    await database.onApplicationShutdown();
    const { spec } = bench.engine.workload(`runner-${id}`);
    bench.engine.vanish(`runner-${id}`);
    bench.spool.forget(spec.workspace);
    await bench.start();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'CANCELLED',
      reason: 'CANCELLED_BY_USER',
      attempt: 1,
    });
  });

  it('runs no more at a time than allowed, most important first', async () => {
    const first = [await bench.submit(), await bench.submit()];
    for (const id of first) await bench.running(`runner-${id}`);
    const low = await bench.submit();
    const high = await bench.submit({ priority: 9 });
    expect(bench.engine.starts).toHaveLength(2);
    bench.engine.workload(`runner-${first[0]}`).end();
    await bench.running(`runner-${high}`);
    expect(bench.engine.starts).toHaveLength(3);
    for (const id of [high, first[1]]) bench.engine.workload(`runner-${id}`).end();
    (await bench.running(`runner-${low}`)).end();
    await bench.waitForState(low, /SUCCEEDED/);
  });

  it('leaves its workloads running when it stops; the next server sees them through with the next epoch', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server.close();
    expect(workload.state).toBe('running');
    await bench.start();
    workload.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'SUCCEEDED',
      attempt: 1,
      epoch: 2,
    });
    expect(bench.engine.starts).toHaveLength(1);
  });

  it('settles with its true outcome what ended while no server ran', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server.close();
    workload.end({ kind: 'exited', exitCode: 3, oomKilled: false });
    await bench.start();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'FAILED',
      reason: 'EXIT_NONZERO',
      exitCode: 3,
    });
  });

  it('finds by its name a workload whose handle was not stored any more', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server.get(Database).db.updateTable('attempts').set({ handle: null }).execute();
    await bench.server.close();
    await bench.start();
    workload.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
  });

  it('does not call a script late that ended in time while no server ran until after its deadline', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server.close();
    workload.end();
    const database = new Database(loadConfig({ DATA_DIR: bench.dataDir }));
    await database.db
      .updateTable('jobs')
      .set({ deadline_at: Date.now() - 60_000 })
      .execute();
    await database.onApplicationShutdown();
    await bench.start();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', reason: 'EXIT_ZERO' });
  });

  it('goes on with a job whose log could not be read for a moment', async () => {
    const spools = bench.server.get(WorkspaceSpools);
    const open = spools.open.bind(spools);
    let failures = 0;
    spools.open = (id) => {
      if ((failures += 1) > 20) return open(id);
      return Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
    };
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    expect(workload.stops).toEqual([]);
    failures = 18;
    workload.end({ kind: 'exited', exitCode: 3, oomKilled: false });
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ reason: 'EXIT_NONZERO', exitCode: 3 });
  });

  it('calls a job lost whose workload is gone after a restart', async () => {
    const id = await bench.submit();
    await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server.get(Database).db.updateTable('attempts').set({ handle: null }).execute();
    await bench.server.close();
    bench.engine.vanish(`runner-${id}`);
    await bench.start();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'LOST', reason: 'RUNTIME_LOST' });
  });

  it('gives a new attempt to a job whose order was never written', async () => {
    const id = await bench.submit();
    await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server
      .get(Database)
      .db.updateTable('attempts')
      .set({ handle: null, workspace: 'never-made', started_at: null })
      .execute();
    await bench.server.close();
    bench.engine.vanish(`runner-${id}`);
    await bench.start();
    (await bench.running(`runner-${id}-2`)).end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
  });

  it('gives a new attempt to a job whose order was written and whose workload never came', async () => {
    const id = await bench.submit();
    await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    const { workspace } = (await bench.server.get(JobRepository).attempt(CALLER, id, 1))!;
    await bench.server
      .get(Database)
      .db.updateTable('attempts')
      .set({ handle: null, started_at: null })
      .execute();
    await bench.server.close();
    bench.engine.vanish(`runner-${id}`);
    const paths = workspacePaths(join(bench.dataDir, 'workspaces'), workspace);
    bench.spool.forget(paths);
    await bench.start();
    (await bench.running(`runner-${id}-2`)).end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
    expect((await bench.server.get(JobRepository).attempt(CALLER, id, 1))!.reason).toBe('ABANDONED');
    // Whoever still wants to start the first attempt meets this.
    expect(JSON.parse(await readFile(join(paths.jobDir, 'job.json'), 'utf8'))).toEqual({ withdrawn: true });
  });

  it('removes a workload that was made and not started before it makes the next attempt', async () => {
    const id = await bench.submit();
    const { spec } = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server
      .get(Database)
      .db.updateTable('attempts')
      .set({ handle: null, started_at: null })
      .execute();
    await bench.server.close();
    bench.engine.vanish(`runner-${id}`);
    bench.spool.forget(spec.workspace);
    bench.engine.make(spec);
    await bench.start();
    (await bench.running(`runner-${id}-2`)).end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
    expect(bench.engine.all().map(({ spec: { name } }) => name)).not.toContain(`runner-${id}`);
  });

  it('does not give another attempt to a script that emptied its own log', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await truncate(spoolPath(workload.spec.workspace));
    bench.engine.vanish(`runner-${id}`);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'LOST', attempt: 1 });
  });

  it('waits for a server that reaches the engine of a job before it calls the job lost', async () => {
    const id = await bench.submit();
    await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    const moveElsewhere = (scope: string): Promise<unknown> =>
      bench.server.get(Database).db.updateTable('attempts').set({ scope }).execute();
    await moveElsewhere('another-engine');
    await bench.server.close();
    const stop = new AbortController();
    await bench.start({ LOST_AFTER_SECONDS: '3600' });
    await bench.server.get(Recovery).adoptAll(stop.signal);
    expect(await bench.waitForState(id, /./)).toMatchObject({ state: 'RUNNING', epoch: 1 });
    // It comes back within its time.
    await moveElsewhere(bench.engine.scope);
    await bench.server.get(Recovery).adoptAll(stop.signal);
    expect(await bench.waitForState(id, /./)).toMatchObject({ state: 'RUNNING', epoch: 2 });
    await moveElsewhere('another-engine');
    stop.abort(new Error('the server is stopping'));
    await bench.server.close();
    await bench.start({ LOST_AFTER_SECONDS: '0' });
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'LOST', reason: 'RUNTIME_LOST' });
  });

  it('does not wait for a host that was started again', async () => {
    const id = await bench.submit();
    await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server.get(Database).db.updateTable('attempts').set({ scope: 'earlier-boot' }).execute();
    await bench.server.close();
    bench.engine.goneScopes.add('earlier-boot');
    await bench.start({ LOST_AFTER_SECONDS: '3600' });
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'LOST',
      message: 'The host was restarted while the job ran.',
    });
  });

  it('calls a cancel what a server before it stopped, whatever the script made of it', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server.close();
    workload.end({ kind: 'exited', exitCode: 143, oomKilled: false });
    const database = new Database(loadConfig({ DATA_DIR: bench.dataDir }));
    await database.db.updateTable('jobs').set({ cancel_requested: 1 }).execute();
    await database.onApplicationShutdown();
    await bench.start();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'CANCELLED',
      reason: 'CANCELLED_BY_USER',
    });
  });

  it('ends an attempt whose start failed in a way nobody foresaw', async () => {
    bench.engine.onStart = () => {
      throw new Error('a fault of ours');
    };
    expect(await bench.waitForState(await bench.submit(), TERMINAL)).toMatchObject({
      state: 'FAILED',
      reason: 'START_FAILED',
      attempt: 1,
    });
  });

  it('sweeps nothing that another database’s jobs left', async () => {
    expect(await bench.server.get(DataOwnership).isOurs()).toBe(true);
    await bench.server.close();
    await bench.start({ DATABASE_URL: `sqlite:${join(bench.dataDir, 'other.sqlite')}` });
    expect(await bench.server.get(DataOwnership).isOurs()).toBe(false);
    await bench.server.close();
    await bench.start();
    expect(await bench.server.get(DataOwnership).isOurs()).toBe(true);
  });

  it('sweeps the inputs of a job that ended, and leaves those of live ones and its outputs', async () => {
    const [id, other] = [await bench.submit(), await bench.submit()];
    const [workload, live] = [await bench.running(`runner-${id}`), await bench.running(`runner-${other}`)];
    const { jobDir, outputDir } = workload.spec.workspace;
    workload.end();
    await bench.waitForState(id, TERMINAL);
    await waitFor(() => !existsSync(jobDir));
    await mkdir(jobDir, { recursive: true });
    await bench.server.get(OrphanSweeper).sweep(new AbortController().signal, -1000);
    expect([jobDir, outputDir, live.spec.workspace.jobDir].map(existsSync)).toEqual([false, true, true]);
    live.end();
    await bench.waitForState(other, TERMINAL);
  });

  it('sweeps workloads of no live job, and leaves those of live ones', async () => {
    const id = await bench.submit();
    await bench.running(`runner-${id}`);
    const orphan = bench.engine.make({
      ...bench.engine.workload(`runner-${id}`).spec,
      name: 'runner-orphan',
    });
    expect(await bench.server.get(OrphanSweeper).sweep(new AbortController().signal, -1000)).toMatchObject({
      workloads: 1,
    });
    expect(bench.server.get(OrphanSweeper).removed.workloadsRemoved).toBe(1);
    expect((await new FakeRuntime(bench.engine).list()).map(({ name }) => name)).toEqual([`runner-${id}`]);
    expect(orphan).toBeDefined();
    bench.engine.workload(`runner-${id}`).end();
    await bench.waitForState(id, TERMINAL);
  });
});
