import { MiB } from '../../common/bytes.js';
import type { AppConfig } from '../../config/app-config.js';
import type { ClaimedJob } from '../../jobs/store/claimed-job.js';
import type { JobRow } from '../../database/tables.js';
import type { RuntimeCapabilities, WorkloadLimits, WorkloadSpec } from '../../runtime/runtime-provider.js';
import type { JobOrder } from '../../runner/order.js';
import { isRoot } from '../../workspace/runner-user.js';
import type { WorkspacePaths } from '../../workspace/workspace-paths.js';

/** A Python process maps far more address space than it uses; below this, imports fail. */
export const ADDRESS_SPACE_SLACK_BYTES = 512 * MiB;
const OPEN_FILES = 4096;
/**
 * Threads that somebody may have beside the service when it runs as that user: a desktop has a thousand or two, and the
 * kernel counts them all. Without room for them a script could start no thread for what others do.
 */
const OTHERS_THREADS = 4096;

/** What the runner is told. Pure. Limits the engine enforces on the whole workload are not repeated per process. */
export function toJobOrder(
  { fence, job, spec }: ClaimedJob,
  capabilities: RuntimeCapabilities,
  config: AppConfig,
): JobOrder {
  return {
    version: 1,
    jobId: job.id,
    attempt: fence.attempt,
    env: JSON.parse(spec.env) as Record<string, string>,
    timeoutSeconds: job.timeout_seconds,
    graceSeconds: config.STOP_GRACE_SECONDS,
    maxLogBytes: config.MAX_LOG_BYTES,
    maxOutputBytes: config.MAX_OUTPUT_BYTES,
    limits: {
      addressSpaceBytes:
        capabilities.memoryLimit === 'perProcess' ? job.memory_mb * MiB + ADDRESS_SPACE_SLACK_BYTES : null,
      processes: capabilities.pidsLimit === 'perUser' ? processesOfUser(config) : null,
      openFiles: OPEN_FILES,
    },
    secrets: JSON.parse(spec.secrets) as string[],
  };
}

export function toWorkloadSpec(
  { job, attempt, spec }: ClaimedJob,
  workspace: WorkspacePaths,
  config: AppConfig,
): WorkloadSpec {
  return {
    name: attempt.workload,
    jobId: job.id,
    attempt: attempt.number,
    image: config.imageOf(job.environment),
    workspace,
    limits: toWorkloadLimits(job, config),
    network: toNetwork(job),
    timeoutSeconds: job.timeout_seconds,
    graceSeconds: config.STOP_GRACE_SECONDS,
    secrets: JSON.parse(spec.secrets) as string[],
  };
}

export function toWorkloadLimits(job: JobRow, config: AppConfig): WorkloadLimits {
  return { memoryMb: job.memory_mb, cpus: job.cpus, pids: config.MAX_PIDS, tmpBytes: config.MAX_TMP_BYTES };
}

export function toNetwork(job: JobRow): WorkloadSpec['network'] {
  return job.network === 'INTERNET' ? 'INTERNET' : 'NONE';
}

/** Counted over all that the user runs, so it cannot be one job's share: it bounds a fork storm, no more. */
function processesOfUser({ MAX_PIDS, MAX_CONCURRENT_JOBS }: AppConfig): number {
  return MAX_PIDS * (MAX_CONCURRENT_JOBS + 1) + (isRoot() ? 0 : OTHERS_THREADS);
}
