import type * as store from '../../outputs/store/output-store.js';
import type * as record from '../record/job.js';
import type { Attempt, Job, JobTimings, OutputFile } from './models/job.model.js';
import { outputUrl } from './output-url.js';

/** The API's view of a job. Pure. */
export function toJobModel(job: record.Job): Job {
  const { id, name, environment, priority, state, reason, message, hint, exitCode, signal } = job;
  const { attempt, retries, wallMs, cpuMs, peakMemoryBytes, timeoutSeconds, memoryMb, cpus, network } = job;
  return {
    ...{ id, name, environment, priority, state, reason, message, hint, exitCode, signal, attempt, retries },
    cancelRequested: job.isCancelRequested,
    createdAt: new Date(job.createdAtMs),
    startedAt: toDate(job.startedAtMs),
    finishedAt: toDate(job.finishedAtMs),
    timings: toTimings(job),
    usage: { wallMs, cpuMs, peakMemoryBytes },
    limits: { timeoutSeconds, memoryMb, cpus, network },
    logTruncated: job.logDroppedBytes > 0,
  };
}

export function toAttemptModel(attempt: record.Attempt): Attempt {
  const { number, workload, runtime, reason, message, startedAtMs, endedAtMs } = attempt;
  return {
    ...{ number, workload, runtime, reason, message },
    startedAt: toDate(startedAtMs),
    endedAt: toDate(endedAtMs),
  };
}

export function toOutputModel(jobId: string, { modifiedAtMs, ...file }: store.OutputFile): OutputFile {
  return { ...file, modifiedAt: new Date(modifiedAtMs), url: outputUrl(jobId, file.path) };
}

function toDate(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

function toTimings(job: record.Job): JobTimings {
  return {
    queuedMs: between(job.createdAtMs, job.claimedAtMs),
    startMs: between(job.claimedAtMs, job.startedAtMs),
    runMs: between(job.startedAtMs, job.endedAtMs),
    collectMs: between(job.endedAtMs, job.finishedAtMs),
  };
}

/** The clocks of the runner and the server may differ a little; a negative time would only confuse. */
function between(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.max(0, to - from);
}
