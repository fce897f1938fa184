import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Database } from '../../../src/database/database.js';
import { AnswerWait } from '../../../src/execution/attempt/answer-wait.js';
import { AttemptJudge } from '../../../src/execution/attempt/attempt-judge.js';
import { RunningAttempts } from '../../../src/execution/attempt/running-attempts.js';
import { JobService } from '../../../src/jobs/job.service.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import type { JobSubmission } from '../../../src/jobs/record/job-submission.js';
import { WorkspaceSpools } from '../../../src/workspace/workspace-spools.js';
import { exited } from '../../support/runtimes/fake/fake-workload.js';
import { CALLER } from '../../support/service/caller.js';
import { collectGarbage } from '../../support/collect-garbage.js';
import { ExecutionBench, TERMINAL } from '../../support/service/execution-bench.js';
import { waitFor } from '../../support/wait-for.js';

describe('execution, on an engine that stays silent', () => {
  let bench: ExecutionBench;

  beforeEach(async () => {
    bench = await ExecutionBench.open({ startTimeoutSeconds: 0.2 });
  });

  afterEach(async () => {
    await bench.close();
    expect(bench.engine.violations).toEqual([]);
  });

  const attempt = async (id: string, number: number) =>
    (await bench.server.get(JobRepository).attempt(CALLER, id, number))!;
  /** The engine starts the next job, and is silent before it says so. */
  async function startUnanswered(more: Partial<JobSubmission> = {}): Promise<string> {
    bench.engine.onStart = () => bench.engine.goAway();
    bench.engine.loseNextAnswer();
    const id = await bench.submit(more);
    await bench.running(`runner-${id}`);
    return id;
  }

  /** A server that comes to such a job when the one that started it is gone. */
  async function restartWithoutHandle(change: { started_at?: null } = {}): Promise<void> {
    await bench.server
      .get(Database)
      .db.updateTable('attempts')
      .set({ handle: null, ...change })
      .execute();
    await bench.server.close();
    bench.engine.goAway();
    await bench.start();
  }

  it('lets a job wait in the queue again, and runs it when the engine is back', async () => {
    bench.engine.goAway();
    const id = await bench.submit();
    await waitFor(async () => (await attempt(id, 1))?.reason);
    expect(await attempt(id, 1)).toMatchObject({
      reason: 'UNSCHEDULABLE',
      message: 'The engine did not answer in time.',
      startedAtMs: null,
    });
    bench.engine.comeBack();
    const workload = await waitFor(() => bench.engine.all().find(({ state }) => state === 'running'));
    workload.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED' });
    expect(bench.engine.starts).toHaveLength(1);
  });

  it('tells the end that the runner signed of a job whose start was never answered', async () => {
    const id = await startUnanswered();
    bench.engine.workload(`runner-${id}`).endScript(exited(3));
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      reason: 'EXIT_NONZERO',
      exitCode: 3,
      attempt: 1,
    });
    expect(bench.engine.isAway).toBe(true);
    await waitFor(() => bench.server.get(RunningAttempts).count === 0);
  });

  it('calls such a job lost when its time is long over, and runs it no second time', async () => {
    Object.assign(bench.server.get(AnswerWait), { endMarginMs: 100 });
    const id = await startUnanswered({ timeoutSeconds: 1, retries: 3 });
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'LOST',
      reason: 'RUNTIME_LOST',
      hint: expect.stringContaining('did not say'),
      attempt: 1,
    });
  });

  it('goes on with such a job when the engine is back in time, and leaves the order of its script as it is', async () => {
    const id = await startUnanswered();
    await bench.waitForState(id, /STARTING/);
    await sleep(400);
    const { jobDir } = bench.engine.workload(`runner-${id}`).spec.workspace;
    expect(JSON.parse(await readFile(join(jobDir, 'job.json'), 'utf8'))).toMatchObject({ jobId: id });
    bench.engine.comeBack();
    await bench.waitForState(id, /RUNNING/);
    bench.engine.workload(`runner-${id}`).end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
  });

  it('gives another attempt, after a restart, to a job whose script cannot have begun', async () => {
    const id = await bench.submit();
    const { spec } = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    bench.spool.forget(spec.workspace);
    await restartWithoutHandle({ started_at: null });
    await waitFor(async () => (await attempt(id, 1)).reason);
    expect(await attempt(id, 1)).toMatchObject({ reason: 'ABANDONED' });
  });

  it('tells, after a restart, the end that the runner signed', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    workload.endScript();
    await restartWithoutHandle();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
    expect(bench.engine.isAway).toBe(true);
  });

  it('ends, after a restart, a job at once that is cancelled and whose script cannot have begun', async () => {
    const id = await bench.submit();
    const { spec } = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    bench.spool.forget(spec.workspace);
    Object.assign(bench.engine.options, { startTimeoutSeconds: 600 });
    await restartWithoutHandle({ started_at: null });
    await bench.server.get(JobService).cancel(CALLER, id);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'CANCELLED', attempt: 1 });
  });

  it('judges a job without its log when that cannot be read, and says so', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    Object.assign(bench.server.get(AttemptJudge), { readingMs: 2000 });
    const failure = Object.assign(new Error('a disk that fails'), { code: 'EIO' });
    bench.server.get(WorkspaceSpools).open = () => {
      collectGarbage(); // a wait whose end nobody holds would have none
      return Promise.reject(failure);
    };
    workload.settle(exited(3));
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      reason: 'EXIT_NONZERO',
      exitCode: 3,
      hint: expect.stringContaining('could not be read'),
    });
  });
});
