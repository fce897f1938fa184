import { Injectable } from '@nestjs/common';
import type { ClaimedJob } from './record/job.js';
import type { JobSubmission } from './record/job-submission.js';
import type { Take } from './store/submission.repository.js';

/** Whoever runs jobs in this process. */
export interface Admission {
  /**
   * Reserves a slot for a job that is about to be stored, with its first attempt planned; undefined when none is free.
   * Each slot is ended once, by one of its members.
   */
  reserve(id: string, submission: JobSubmission): Slot | undefined;
}

/** A place for a job, reserved for a new one. */
export interface Slot {
  readonly take: Take;
  /** The job was stored and taken: begins it. */
  launch(claim: ClaimedJob): void;
  /** The job was not taken: the slot, and what was planned, are for other jobs again. */
  release(): void;
  /** It is not known whether the job was taken: what was planned for it is given to no other job. */
  abandon(): void;
}

/**
 * Where a job that nobody waits before begins without waiting for its turn: it is stored and taken by one commit. Without
 * anybody who runs jobs here it is stored, and waits.
 */
@Injectable()
export class JobAdmission implements Admission {
  private admission: Admission | undefined;

  /** Lets `admission` take new jobs; returns how to stop that. */
  offer(admission: Admission): () => void {
    this.admission = admission;
    return () => (this.admission = undefined);
  }

  reserve(id: string, submission: JobSubmission): Slot | undefined {
    return this.admission?.reserve(id, submission);
  }
}
