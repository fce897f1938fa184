import { Injectable } from '@nestjs/common';
import type { ClaimedJob } from './record/job.js';
import type { JobSubmission } from './record/job-submission.js';
import type { Take } from './store/submission.repository.js';

/** The part of this process that runs jobs, as the intake of new ones sees it. */
export interface Admission {
  /**
   * Reserves a slot for a job that is about to be stored, with its first attempt planned; undefined when none is free.
   * The caller ends each slot once, by one of its members.
   */
  reserve(id: string, submission: JobSubmission): Slot | undefined;
}

/** A slot that is reserved for one new job. */
export interface Slot {
  readonly take: Take;
  /** The job was stored and taken: begins it. */
  launch(claim: ClaimedJob): void;
  /** The job was not taken: other jobs may have the slot and the planned worker. */
  release(): void;
  /** It is not known whether the job was taken: other jobs may have the slot, but not the planned worker. */
  abandon(): void;
}

/**
 * Lets a new job begin at once when no other job waits: one commit stores and takes it. While this process runs no jobs,
 * a new one is stored only, and waits.
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
