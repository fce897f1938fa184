import type { AttemptRow, JobRow, JobSpecRow } from '../../database/tables.js';

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

/** Makes the row of a job's next attempt, when it is taken. */
export type AttemptPlan = (job: JobRow, spec: JobSpecRow) => NewAttempt;

/** Who takes jobs, and for how long without saying so again. */
export interface Taker {
  owner: string;
  leaseMs: number;
  plan: AttemptPlan;
}

export function toAttemptRow(job: JobRow, nowMs: number, plan: NewAttempt): AttemptRow {
  return {
    job_id: job.id,
    number: job.attempt,
    runtime: plan.runtime,
    scope: plan.scope,
    workload: plan.workload,
    workspace: plan.workspace,
    handle: plan.handle,
    start_intent_at: nowMs,
    start_kind: plan.startKind,
    start_why: plan.startWhy,
    started_at: null,
    ended_at: null,
    reason: null,
    message: null,
    skipped_outputs: null,
  };
}

/** A job that `owner` has taken for an attempt that has not begun. */
export function toClaim(job: JobRow, attempt: AttemptRow, spec: JobSpecRow, owner: string): ClaimedJob {
  const fence = { jobId: job.id, attempt: job.attempt, epoch: job.epoch, owner };
  return { fence, job, attempt, spec, deadlineInMs: null };
}
