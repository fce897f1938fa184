import { Inject, Injectable } from '@nestjs/common';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import type { JobResult, Requeue } from '../../jobs/store/attempt.repository.js';
import type { Fence } from '../../jobs/record/job.js';
import { AttemptRepository } from '../../jobs/store/attempt.repository.js';
import { JobEvents } from '../../jobs/record/job-events.js';
import { persist } from './persist.js';

/**
 * The fenced writes as execution makes them: repeated until the database takes them, then told to whoever follows the
 * job. Rejects with StaleFenceError when the job is another's, or with the signal's reason.
 */
@Injectable()
export class JobRecorder {
  constructor(
    private readonly attempts: AttemptRepository,
    private readonly events: JobEvents,
    @Inject(LOG) private readonly log: Log,
  ) {}

  async saveHandle(fence: Fence, handle: string, signal: AbortSignal): Promise<void> {
    await persist('handle', () => this.attempts.saveHandle(fence, handle), this.log, signal);
  }

  async markRunning(
    fence: Fence,
    startedAtMs: number,
    deadlineInMs: number,
    handle: string,
    signal: AbortSignal,
  ): Promise<void> {
    await persist(
      'running',
      () => this.attempts.markRunning(fence, startedAtMs, deadlineInMs, handle),
      this.log,
      signal,
    );
    this.events.publishLocal(fence.jobId);
  }

  async finish(fence: Fence, result: JobResult, signal: AbortSignal): Promise<void> {
    await persist('finish', () => this.attempts.finish(fence, result), this.log, signal);
    this.events.publishLocal(fence.jobId);
  }

  async requeue(fence: Fence, again: Requeue, signal: AbortSignal): Promise<void> {
    await persist('requeue', () => this.attempts.requeue(fence, again), this.log, signal);
    this.events.publishLocal(fence.jobId);
    this.events.publishQueuedLocal();
  }
}
