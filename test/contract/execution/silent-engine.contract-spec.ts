import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Database } from '../../../src/database/database.js';
import { AnswerWait } from '../../../src/execution/attempt/answer-wait.js';
import { AttemptJudge } from '../../../src/execution/attempt/attempt-judge.js';
import { RunningAttempts } from '../../../src/execution/attempt/running-attempts.js';
import type { Job } from '../../../src/jobs/record/job.js';
import { JobService } from '../../../src/jobs/job.service.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import type { JobSubmission } from '../../../src/jobs/record/job-submission.js';
import { WorkspaceSpools } from '../../../src/workspace/workspace-spools.js';
import { FakeEngine } from '../../support/runtimes/fake/fake-engine.js';
import { RunnerSpool } from '../../support/runtimes/fake/fake-spool.js';
import type { FakeWorkload } from '../../support/runtimes/fake/fake-workload.js';
import { exited } from '../../support/runtimes/fake/fake-workload.js';
import { CALLER } from '../../support/service/caller.js';
import {
  startExecution,
  submitTo,
  waitForState as waitForJob,
} from '../../support/service/execution-server.js';
import { collectGarbage } from '../../support/collect-garbage.js';
import { waitFor } from '../../support/wait-for.js';

const TERMINAL = /SUCCEEDED|FAILED|TIMED_OUT|CANCELLED|LOST/;

describe('execution, on an engine that stays silent', () => {
  let engine: FakeEngine;
  let spool: RunnerSpool;
  let dataDir: string;
  let server: TestingModule;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'maps-silent-'));
    spool = new RunnerSpool();
    engine = new FakeEngine({ spool, secondMs: 1, allowKillByRemove: true, startTimeoutSeconds: 0.2 });
    server = await startServer();
  });

  afterEach(async () => {
    await server.close();
    await rm(dataDir, { recursive: true, force: true });
    expect(engine.violations).toEqual([]);
  });

  const startServer = (): Promise<TestingModule> => startExecution(engine, { DATA_DIR: dataDir });
  const submit = (more: Partial<JobSubmission> = {}): Promise<string> => submitTo(server, more);
  const waitForState = (id: string, state: RegExp): Promise<Job> => waitForJob(server, id, state);
  const attempt = async (id: string, number: number) =>
    (await server.get(JobRepository).attempt(CALLER, id, number))!;
  const running = (name: string): Promise<FakeWorkload> =>
    waitFor(() => (engine.all().some(({ spec }) => spec.name === name) ? engine.workload(name) : undefined));

  /** The engine starts the next job, and is silent before it says so. */
  async function startUnanswered(more: Partial<JobSubmission> = {}): Promise<string> {
    engine.onStart = () => engine.goAway();
    engine.loseNextAnswer();
    const id = await submit(more);
    await running(`runner-${id}`);
    return id;
  }

  /** A server that comes to such a job when the one that started it is gone. */
  async function restartWithoutHandle(change: { started_at?: null } = {}): Promise<void> {
    await server
      .get(Database)
      .db.updateTable('attempts')
      .set({ handle: null, ...change })
      .execute();
    await server.close();
    engine.goAway();
    server = await startServer();
  }

  it('lets a job wait in the queue again, and runs it when the engine is back', async () => {
    engine.goAway();
    const id = await submit();
    await waitFor(async () => (await attempt(id, 1))?.reason);
    expect(await attempt(id, 1)).toMatchObject({
      reason: 'UNSCHEDULABLE',
      message: 'The engine did not answer in time.',
      startedAtMs: null,
    });
    engine.comeBack();
    const workload = await waitFor(() => engine.all().find(({ state }) => state === 'running'));
    workload.end();
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED' });
    expect(engine.starts).toHaveLength(1);
  });

  it('tells the end that the runner signed of a job whose start was never answered', async () => {
    const id = await startUnanswered();
    engine.workload(`runner-${id}`).endScript(exited(3));
    expect(await waitForState(id, TERMINAL)).toMatchObject({
      reason: 'EXIT_NONZERO',
      exitCode: 3,
      attempt: 1,
    });
    expect(engine.isAway).toBe(true);
    await waitFor(() => server.get(RunningAttempts).count === 0);
  });

  it('calls such a job lost when its time is long over, and runs it no second time', async () => {
    Object.assign(server.get(AnswerWait), { endMarginMs: 100 });
    const id = await startUnanswered({ timeoutSeconds: 1, retries: 3 });
    expect(await waitForState(id, TERMINAL)).toMatchObject({
      state: 'LOST',
      reason: 'RUNTIME_LOST',
      hint: expect.stringContaining('did not say'),
      attempt: 1,
    });
  });

  it('goes on with such a job when the engine is back in time, and leaves the order of its script as it is', async () => {
    const id = await startUnanswered();
    await waitForState(id, /STARTING/);
    await sleep(400);
    const { jobDir } = engine.workload(`runner-${id}`).spec.workspace;
    expect(JSON.parse(await readFile(join(jobDir, 'job.json'), 'utf8'))).toMatchObject({ jobId: id });
    engine.comeBack();
    await waitForState(id, /RUNNING/);
    engine.workload(`runner-${id}`).end();
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
  });

  it('gives another attempt, after a restart, to a job whose script cannot have begun', async () => {
    const id = await submit();
    const { spec } = await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    spool.forget(spec.workspace);
    await restartWithoutHandle({ started_at: null });
    await waitFor(async () => (await attempt(id, 1)).reason);
    expect(await attempt(id, 1)).toMatchObject({ reason: 'ABANDONED' });
  });

  it('tells, after a restart, the end that the runner signed', async () => {
    const id = await submit();
    const workload = await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    workload.endScript();
    await restartWithoutHandle();
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
    expect(engine.isAway).toBe(true);
  });

  it('ends, after a restart, a job at once that is cancelled and whose script cannot have begun', async () => {
    const id = await submit();
    const { spec } = await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    spool.forget(spec.workspace);
    Object.assign(engine.options, { startTimeoutSeconds: 600 });
    await restartWithoutHandle({ started_at: null });
    await server.get(JobService).cancel(CALLER, id);
    expect(await waitForState(id, TERMINAL)).toMatchObject({ state: 'CANCELLED', attempt: 1 });
  });

  it('judges a job without its log when that cannot be read, and says so', async () => {
    const id = await submit();
    const workload = await running(`runner-${id}`);
    await waitForState(id, /RUNNING/);
    Object.assign(server.get(AttemptJudge), { readingMs: 2000 });
    const failure = Object.assign(new Error('a disk that fails'), { code: 'EIO' });
    server.get(WorkspaceSpools).open = () => {
      collectGarbage(); // a wait whose end nobody holds would have none
      return Promise.reject(failure);
    };
    workload.settle(exited(3));
    expect(await waitForState(id, TERMINAL)).toMatchObject({
      reason: 'EXIT_NONZERO',
      exitCode: 3,
      hint: expect.stringContaining('could not be read'),
    });
  });
});
