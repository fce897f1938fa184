import type { JobRow } from '../../database/tables.js';
import type { JobReason } from '../record/job-reason.js';
import type { JobState } from '../record/job-state.js';
import type { Job, JobTimings } from './models/job.model.js';

/** The API's view of a job row. Pure. */
export function toJobModel(row: JobRow): Job {
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
    cancelRequested: row.cancel_requested === 1,
    attempt: row.attempt,
    retries: row.retries,
    createdAt: new Date(row.created_at),
    startedAt: toDate(row.started_at),
    finishedAt: toDate(row.finished_at),
    timings: toTimings(row),
    usage: { wallMs: row.wall_ms, cpuMs: row.cpu_ms, peakMemoryBytes: row.peak_memory_bytes },
    limits: {
      timeoutSeconds: row.timeout_seconds,
      memoryMb: row.memory_mb,
      cpus: row.cpus,
      network: row.network as 'NONE' | 'INTERNET',
    },
    logTruncated: row.log_dropped_bytes > 0,
  };
}

export function toDate(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

function toTimings(row: JobRow): JobTimings {
  return {
    queuedMs: between(row.created_at, row.claimed_at),
    startMs: between(row.claimed_at, row.started_at),
    runMs: between(row.started_at, row.ended_at),
    collectMs: between(row.ended_at, row.finished_at),
  };
}

/** The clocks of the runner and the server may differ a little; a negative time would only confuse. */
function between(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.max(0, to - from);
}
