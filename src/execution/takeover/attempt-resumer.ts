import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { childSignal } from '../../common/async/abort.js';
import { retry } from '../../common/async/retry.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { RuntimeProvider, WorkloadSummary } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { WorkspaceOrders } from '../../workspace/workspace-orders.js';
import { AnswerWait } from '../attempt/answer-wait.js';
import { judgeOutOfReach } from '../attempt/attempt-judge.js';
import { AttemptRunner } from '../attempt/attempt-runner.js';
import { AttemptSettler } from '../attempt/attempt-settler.js';

/**
 * Goes on with an attempt that an earlier server began. A workload outlives its server, so most are simply watched on.
 *
 * A worker may never have been given the job that was committed to it, so its order is withdrawn. This changes nothing
 * for a worker that already runs the job.
 *
 * Without a stored handle the workload is looked for by its name. When it is absent, its order is withdrawn, so that a
 * server that was only paused cannot start it any more, and it is looked for once again. A workload that is still absent
 * and has an empty spool and its key never ran and never will: another attempt is permitted. Any other absent one is LOST, unless
 * its runner signed how its script ended. An engine that stays silent is not waited for longer than a start may take.
 */
@Injectable()
export class AttemptResumer {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly runner: AttemptRunner,
    private readonly settler: AttemptSettler,
    private readonly orders: WorkspaceOrders,
    private readonly answers: AnswerWait,
  ) {}

  async resume(claim: ClaimedJob, signal: AbortSignal): Promise<void> {
    const { handle, scope } = claim.attempt;
    if (scope !== this.runtime.scope) return this.resumeElsewhere(claim, signal);
    await this.withdrawFromWorker(claim);
    if (handle !== null) return this.runner.watch(claim, handle, signal);
    const own = childSignal(signal);
    try {
      const heard = await this.answers.hear(claim, this.look(claim, own.signal), signal);
      own.abort(new Error('the engine was asked for long enough'));
      if ('end' in heard) return await this.runner.conclude(claim, undefined, heard.end, signal);
      if ('answer' in heard && heard.answer !== undefined)
        return await this.runner.watch(claim, heard.answer, signal);
      if ('prevented' in heard && heard.prevented === 'cancel')
        return await this.runner.concludePrevented(claim, signal);
      await this.conclude(claim, 'answer' in heard ? VANISHED : SILENT, signal);
    } finally {
      own.release();
    }
  }

  /** The workload's handle; undefined when it is not there and will never be. */
  private async look(claim: ClaimedJob, signal: AbortSignal): Promise<string | undefined> {
    const found = await this.findHandle(claim, signal);
    if (found !== undefined) return found;
    await this.withdraw(claim);
    return this.findHandle(claim, signal);
  }

  /** Ends a worker that still waits, since its order cannot come any more; leaves one alone that runs its job. */
  async withdrawFromWorker({ attempt }: ClaimedJob): Promise<void> {
    if (attempt.startKind !== 'WARM' || attempt.startedAtMs !== null) return;
    await this.orders.withdrawOrder(attempt.workspace);
  }

  /** Afterwards no server can start the attempt's script, however late it tries. */
  private withdraw({ attempt }: ClaimedJob): Promise<void> {
    return this.orders.withdraw(attempt.workspace);
  }

  /** When the scope is gone, the spool tells whether the script ran. When it is only out of reach, nothing tells. */
  private async resumeElsewhere(claim: ClaimedJob, signal: AbortSignal): Promise<void> {
    const { runtime: theirs, scope } = claim.attempt;
    if (this.runtime.isGone(scope)) return this.conclude(claim, HOST_RESTARTED, signal);
    await this.withdraw(claim);
    await this.settler.settle(claim, judgeOutOfReach({ theirs, ours: this.runtime.name }), signal);
  }

  /** Settles an attempt whose workload is certainly not there, by what its spool says. */
  private conclude(claim: ClaimedJob, message: string, signal: AbortSignal): Promise<void> {
    const exit = { kind: 'lost', message } as const;
    const end = { exit, stoppedFor: undefined, endedAtMs: Date.now(), watchedMs: 0 };
    return this.runner.conclude(claim, undefined, end, signal);
  }

  /** Waits for an engine that is away: its silence does not mean that the workload is absent. */
  private async findHandle(claim: ClaimedJob, signal: AbortSignal): Promise<string | undefined> {
    const onFailure = (error: unknown): void =>
      this.log.warn(
        { jobId: claim.job.id, err: messageOf(error) },
        'the engine cannot be asked for a workload; trying again',
      );
    const list = (): Promise<WorkloadSummary[]> => this.runtime.list(signal);
    const workloads = await retry(list, { firstMs: 500, maxMs: 10_000, onFailure }, signal);
    return workloads.find(({ name }) => name === claim.attempt.workload)?.handle;
  }
}

const VANISHED = 'The server stopped while the job was being started, and its workload is not there.';
const SILENT = 'The server stopped while the job was being started, and the engine did not answer in time.';
const HOST_RESTARTED = 'The host was restarted while the job ran.';
