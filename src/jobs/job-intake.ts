import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import type { Principal } from '../common/principal.js';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/app-config.js';
import { JobAdmission } from './job-admission.js';
import { IdempotencyMismatchError, QueueFullError } from './record/job.errors.js';
import type { JobSubmission } from './record/job-submission.js';
import { StorageSpace } from './retention/storage-space.js';
import type { StoredJob } from './store/submission.repository.js';
import { SubmissionRepository } from './store/submission.repository.js';

/** How a job gets in: stored, and begun at once where a slot is free and no other job waits. */
@Injectable()
export class JobIntake {
  constructor(
    private readonly submissions: SubmissionRepository,
    private readonly admission: JobAdmission,
    private readonly space: StorageSpace,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: Pick<AppConfig, 'execution'>,
  ) {}

  /** When this resolves the job is on disk. */
  async take(principal: Principal, id: string, submission: JobSubmission): Promise<StoredJob> {
    const refusal = await this.space.refusal();
    const slot = refusal ? undefined : this.admission.reserve(id, submission);
    const more = { id, nowMs: this.clock.nowMs(), maxQueued: this.config.execution.MAX_QUEUED_JOBS, refusal };
    let stored: StoredJob;
    try {
      stored = await this.submissions.insert(principal, submission, { ...more, take: slot?.take });
    } catch (error) {
      // These two errors prove that the job was not stored. After any other error it may have been.
      if (error instanceof QueueFullError || error instanceof IdempotencyMismatchError) slot?.release();
      else slot?.abandon();
      throw error;
    }
    if (stored.claim) slot?.launch(stored.claim);
    else slot?.release();
    return stored;
  }
}
