import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../common/app-error.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import { AppConfig } from '../config/app-config.js';
import type { ClaimedJob } from '../jobs/claimed-job.js';
import { StaleFenceError } from '../jobs/job.errors.js';

/** The attempts that this process looks after, and how many more it may take. */
@Injectable()
export class RunningAttempts {
  private readonly byJob = new Map<string, Promise<void>>();
  private readonly limit: number;
  private onFree: () => void = () => undefined;

  constructor(
    config: AppConfig,
    @Inject(LOG) private readonly log: Log,
  ) {
    this.limit = config.MAX_CONCURRENT_JOBS;
  }

  /** Places left; none while adopted attempts exceed the limit. */
  get free(): number {
    return Math.max(0, this.limit - this.byJob.size);
  }

  get count(): number {
    return this.byJob.size;
  }

  has(jobId: string): boolean {
    return this.byJob.has(jobId);
  }

  /** Calls `listener` whenever a place becomes free. */
  whenFree(listener: () => void): void {
    this.onFree = listener;
  }

  /** Starts `work` and keeps its place until it is done, whatever becomes of it. */
  launch(claim: ClaimedJob, work: () => Promise<void>, signal: AbortSignal): void {
    const jobId = claim.job.id;
    const done = work()
      .catch((error: unknown) => this.report(jobId, error, signal))
      .finally(() => {
        // An attempt adopted meanwhile has taken this one's place.
        if (this.byJob.get(jobId) === done) this.byJob.delete(jobId);
        this.onFree();
      });
    this.byJob.set(jobId, done);
  }

  /** Resolves when nothing runs any more. */
  async drained(): Promise<void> {
    await Promise.all(this.byJob.values());
  }

  private report(jobId: string, error: unknown, signal: AbortSignal): void {
    // This server stops and leaves the workload to the next one.
    if (signal.aborted) return;
    if (error instanceof StaleFenceError)
      this.log.warn({ jobId }, 'the job is owned by another replica now; leaving it');
    else
      this.log.error(
        { jobId, err: messageOf(error), stack: (error as Error).stack },
        'an attempt was given up',
      );
  }
}
