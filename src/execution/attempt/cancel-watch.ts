import { Injectable } from '@nestjs/common';
import { SYSTEM } from '../../common/principal.js';
import { JobEvents } from '../../jobs/record/job-events.js';
import { JobRepository } from '../../jobs/store/job.repository.js';

/** Tells when somebody asks for a job to end. */
@Injectable()
export class CancelWatch {
  constructor(
    private readonly events: JobEvents,
    private readonly jobs: JobRepository,
  ) {}

  /**
   * Calls `onCancel` once, as soon as the flag is seen raised, also if it already is; for that it is looked at after
   * `firstLookMs`. Returns how to stop watching.
   */
  watch(jobId: string, onCancel: () => void, firstLookMs = 0): () => void {
    let isDone = false;
    const look = async (): Promise<void> => {
      const job = isDone ? undefined : await this.jobs.find(SYSTEM.dispatcher, jobId);
      if (isDone || !job?.isCancelRequested) return;
      isDone = true;
      onCancel();
    };
    // A database that is away now is asked again at the next event.
    const off = this.events.onJob(jobId, () => void look().catch(() => undefined));
    const first = (): void => void look().catch(() => undefined);
    const timer = firstLookMs > 0 ? setTimeout(first, firstLookMs).unref() : first();
    return () => {
      isDone = true;
      clearTimeout(timer ?? undefined);
      off();
    };
  }
}
