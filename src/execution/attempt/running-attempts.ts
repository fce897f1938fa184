import { Inject, Injectable } from '@nestjs/common';
import { childSignal } from '../../common/async/abort.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { ExecutionConfig } from '../../config/parts/execution-config.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import { StaleFenceError } from '../../jobs/record/job.errors.js';

interface RunningAttempt {
  done: Promise<void>;
  abandon: (reason: Error) => void;
}

/** The attempts that this process looks after, and how many more it may take. */
@Injectable()
export class RunningAttempts {
  private readonly byJob = new Map<string, RunningAttempt>();
  private readonly limit: number;
  /** Slots reserved for jobs that are just being stored or claimed. */
  private reserved = 0;
  private onFree: () => void = () => undefined;

  constructor(
    config: ExecutionConfig,
    @Inject(LOG) private readonly log: Log,
  ) {
    this.limit = config.MAX_CONCURRENT_JOBS;
  }

  /** Slots left; none while adopted attempts exceed the limit. */
  get free(): number {
    return Math.max(0, this.limit - this.byJob.size - this.reserved);
  }

  get count(): number {
    return this.byJob.size;
  }

  get jobIds(): string[] {
    return [...this.byJob.keys()];
  }

  has(jobId: string): boolean {
    return this.byJob.has(jobId);
  }

  /** Calls `listener` whenever a slot becomes free. */
  whenFree(listener: () => void): void {
    this.onFree = listener;
  }

  /** Keeps free slots for jobs that are being taken, until they are released. */
  reserve(slots: number): void {
    this.reserved += slots;
  }

  /** Does not call the listener of `whenFree`: in most cases the job takes its reserved slot in the same turn. */
  release(slots: number): void {
    this.reserved -= slots;
  }

  /** Starts `work`, whose signal aborts with `signal`. The job keeps its slot until `work` has settled either way. */
  launch(claim: ClaimedJob, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): void {
    const jobId = claim.job.id;
    const own = childSignal(signal);
    const done = work(own.signal)
      .catch((error: unknown) => this.report(jobId, error, signal))
      .finally(() => {
        own.release();
        // An attempt of the same job that was adopted meanwhile has its own entry.
        if (this.byJob.get(jobId) === attempt) this.byJob.delete(jobId);
        this.onFree();
      });
    const attempt: RunningAttempt = { done, abandon: own.abort };
    // Another server may have taken the job meanwhile, and this one has it back: the older watch must end.
    this.abandon(jobId);
    this.byJob.set(jobId, attempt);
  }

  /** Another replica has taken the job over: nothing more is done for it here. */
  abandon(jobId: string): void {
    this.byJob.get(jobId)?.abandon(new StaleFenceError(jobId));
  }

  /** Resolves when nothing runs any more. */
  async drained(): Promise<void> {
    await Promise.all([...this.byJob.values()].map(({ done }) => done));
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
