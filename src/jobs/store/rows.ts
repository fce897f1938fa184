import type { Insertable } from 'kysely';
import type { AttemptRow, JobRow, JobSpecRow, JobsTable, OutputFileRow } from '../../database/tables.js';
import type { OutputFile, SkippedOutput } from '../../outputs/store/output-store.js';
import type { Attempt, ClaimedJob, Job, JobSpec, Network, NewAttempt, StartKind } from '../record/job.js';
import type { JobReason } from '../record/job-reason.js';
import type { JobState } from '../record/job-state.js';
import type { JobSubmission } from '../record/job-submission.js';

export function toJob(row: JobRow): Job {
  return {
    id: row.id,
    name: row.name,
    environment: row.environment,
    priority: row.priority,
    state: row.state as JobState,
    reason: row.reason as JobReason | null,
    message: row.message,
    hint: row.hint,
    exitCode: row.exit_code,
    signal: row.signal,
    isCancelRequested: row.cancel_requested === 1,
    attempt: row.attempt,
    epoch: row.epoch,
    owner: row.owner,
    timeoutSeconds: row.timeout_seconds,
    memoryMb: row.memory_mb,
    cpus: row.cpus,
    network: row.network as Network,
    retries: row.retries,
    createdAtMs: row.created_at,
    claimedAtMs: row.claimed_at,
    startedAtMs: row.started_at,
    endedAtMs: row.ended_at,
    finishedAtMs: row.finished_at,
    wallMs: row.wall_ms,
    cpuMs: row.cpu_ms,
    peakMemoryBytes: row.peak_memory_bytes,
    logDroppedBytes: row.log_dropped_bytes,
  };
}

export function toJobSpec(row: JobSpecRow): JobSpec {
  return {
    script: row.script,
    requestText: row.request,
    env: JSON.parse(row.env) as Record<string, string>,
    secrets: JSON.parse(row.secrets) as string[],
  };
}

/** All that anybody is told of an attempt: its key is not among them. */
export const ATTEMPT_COLUMNS = [
  'job_id',
  'number',
  'runtime',
  'scope',
  'workload',
  'workspace',
  'handle',
  'start_kind',
  'start_why',
  'started_at',
  'ended_at',
  'reason',
  'message',
  'skipped_outputs',
] as const satisfies readonly (keyof AttemptRow)[];

export function toAttempt(row: Pick<AttemptRow, (typeof ATTEMPT_COLUMNS)[number]>): Attempt {
  return {
    jobId: row.job_id,
    number: row.number,
    runtime: row.runtime,
    scope: row.scope,
    workload: row.workload,
    workspace: row.workspace,
    handle: row.handle,
    startKind: row.start_kind as StartKind,
    startWhy: row.start_why,
    startedAtMs: row.started_at,
    endedAtMs: row.ended_at,
    reason: row.reason as JobReason | null,
    message: row.message,
    skippedOutputs: JSON.parse(row.skipped_outputs ?? '[]') as SkippedOutput[],
  };
}

export function toOutputFile(row: OutputFileRow): OutputFile {
  return {
    path: row.path,
    size: row.size,
    sha256: row.sha256,
    contentType: row.content_type,
    modifiedAtMs: row.modified_at,
  };
}

/** A new job that waits. */
export function toJobRow(
  id: string,
  tenant: string,
  submission: JobSubmission,
  nowMs: number,
): Insertable<JobsTable> {
  return {
    id,
    tenant_id: tenant,
    name: submission.name,
    environment: submission.environment,
    priority: submission.priority,
    state: 'QUEUED' satisfies JobState,
    // The job may be claimed at once, whatever the clocks say.
    available_at: 0,
    timeout_seconds: submission.timeoutSeconds,
    memory_mb: submission.memoryMb,
    cpus: submission.cpus,
    network: submission.network,
    retries: submission.retries,
    created_at: nowMs,
  };
}

export function toSpecRow(id: string, { script, requestText, env, secrets }: JobSpec): JobSpecRow {
  return {
    job_id: id,
    script,
    request: requestText,
    env: JSON.stringify(env),
    secrets: JSON.stringify(secrets),
  };
}

/** The next attempt of a job that has just been taken. */
export function toAttemptRow(job: Job, nowMs: number, plan: NewAttempt): AttemptRow {
  return {
    job_id: job.id,
    number: job.attempt,
    runtime: plan.runtime,
    scope: plan.scope,
    workload: plan.workload,
    workspace: plan.workspace,
    handle: plan.handle,
    key: plan.key,
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
export function toClaim(job: Job, attempt: AttemptRow, spec: JobSpec, owner: string): ClaimedJob {
  const fence = { jobId: job.id, attempt: job.attempt, epoch: job.epoch, owner };
  return { fence, job, attempt: toAttempt(attempt), key: attempt.key, spec, deadlineInMs: null };
}
