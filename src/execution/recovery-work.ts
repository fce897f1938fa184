import { Injectable } from '@nestjs/common';
import type { ClaimedJob } from '../jobs/claimed-job.js';
import { AttemptCleaner } from './attempt-cleaner.js';
import { AttemptRunner } from './attempt-runner.js';
import { AttemptSettler } from './attempt-settler.js';
import type { Outcome } from './outcome.js';
import { RunningAttempts } from './running-attempts.js';

/** What recovery does with an adopted job. */
@Injectable()
export class RecoveryWork {
  constructor(
    private readonly running: RunningAttempts,
    private readonly runner: AttemptRunner,
    private readonly settler: AttemptSettler,
    private readonly cleaner: AttemptCleaner,
  ) {}

  launch(claim: ClaimedJob, work: () => Promise<void>, signal: AbortSignal): void {
    this.running.launch(claim, work, signal);
  }

  watch(claim: ClaimedJob, handle: string, signal: AbortSignal): Promise<void> {
    return this.runner.watch(claim, handle, signal);
  }

  async settle(claim: ClaimedJob, outcome: Outcome, signal: AbortSignal): Promise<void> {
    await this.settler.settle(claim, outcome, undefined, signal);
    await this.cleaner.clean(claim, undefined);
  }
}
