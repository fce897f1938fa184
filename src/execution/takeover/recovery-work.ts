import { Injectable } from '@nestjs/common';
import type { ClaimedJob } from '../../jobs/store/claimed-job.js';
import { WorkspaceOrders } from '../../workspace/workspace-orders.js';
import { AttemptRunner } from '../attempt/attempt-runner.js';
import { AttemptSettler } from '../attempt/attempt-settler.js';
import type { Outcome } from '../outcome/outcome.js';
import { RunningAttempts } from '../attempt/running-attempts.js';

/** What recovery does with an adopted job. */
@Injectable()
export class RecoveryWork {
  constructor(
    private readonly running: RunningAttempts,
    private readonly runner: AttemptRunner,
    private readonly settler: AttemptSettler,
    private readonly orders: WorkspaceOrders,
  ) {}

  launch(claim: ClaimedJob, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): void {
    this.running.launch(claim, work, signal);
  }

  watch(claim: ClaimedJob, handle: string, signal: AbortSignal): Promise<void> {
    return this.runner.watch(claim, handle, signal);
  }

  /** From now on no server can start the attempt's script, however late it comes. */
  withdraw({ attempt }: ClaimedJob): Promise<void> {
    return this.orders.withdraw(attempt.workspace);
  }

  /** A worker that still waits ends now, since its order cannot come any more; one that runs its job is left alone. */
  async withdrawFromWorker({ attempt }: ClaimedJob): Promise<void> {
    if (attempt.start_kind !== 'WARM' || attempt.started_at !== null) return;
    await this.orders.withdrawOrder(attempt.workspace);
  }

  /** Settles an attempt whose workload is certainly not there, by what its spool says. */
  conclude(claim: ClaimedJob, message: string, signal: AbortSignal): Promise<void> {
    const end = { exit: { kind: 'lost', message }, stoppedFor: undefined } as const;
    return this.runner.conclude(claim, undefined, end, signal);
  }

  settle(claim: ClaimedJob, outcome: Outcome, signal: AbortSignal): Promise<void> {
    return this.settler.settle(claim, outcome, undefined, signal);
  }
}
