import type { AttemptRow, JobRow, JobSpecRow } from '../database/tables.js';

/** Who may write: every write to a live job compares all of it, and a writer that fails the comparison stops. */
export interface Fence {
  jobId: string;
  attempt: number;
  epoch: number;
  owner: string;
}

/** A job that this replica has just taken, with all that is needed to start it. */
export interface ClaimedJob {
  fence: Fence;
  job: JobRow;
  attempt: AttemptRow;
  spec: JobSpecRow;
  /** How long the script may still run, milliseconds by the database's clock; null when it has not begun. */
  deadlineInMs: number | null;
}

/** A live job whose owner has not been heard of. */
export interface AdoptableJob {
  job: JobRow;
  /** Where its workload is. */
  scope: string;
  /** How long ago its lease ended, milliseconds by the database's clock; negative while it holds. */
  lapsedMs: number;
}

export interface NewAttempt {
  runtime: string;
  scope: string;
  workload: string;
  workspace: string;
  /** Known already when a worker that waits takes the job; null when its workload is yet to be started. */
  handle: string | null;
  startKind: 'COLD' | 'WARM';
  startWhy: string;
}
