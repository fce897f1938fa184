import { MiB } from '../../common/bytes.js';
import type { AppConfig } from '../../config/app-config.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { RuntimeCapabilities } from '../../runtime/runtime-provider.js';
import type { JobOrder } from '../../runner/order.js';
import { isRoot } from '../../workspace/runner-user.js';

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
  { fence, job, key, spec }: ClaimedJob,
  capabilities: RuntimeCapabilities,
  { limits, execution }: Pick<AppConfig, 'limits' | 'execution'>,
): JobOrder {
  return {
    version: 1,
    jobId: job.id,
    attempt: fence.attempt,
    env: spec.env,
    timeoutSeconds: job.timeoutSeconds,
    graceSeconds: limits.STOP_GRACE_SECONDS,
    maxLogBytes: limits.MAX_LOG_BYTES,
    maxOutputBytes: limits.MAX_OUTPUT_BYTES,
    limits: {
      addressSpaceBytes:
        capabilities.memoryLimit === 'perProcess' ? job.memoryMb * MiB + ADDRESS_SPACE_SLACK_BYTES : null,
      processes:
        capabilities.pidsLimit === 'perUser'
          ? processesOfUser(limits.MAX_PIDS, execution.MAX_CONCURRENT_JOBS)
          : null,
      openFiles: OPEN_FILES,
    },
    secrets: spec.secrets,
    ...(key === null ? {} : { signed: true as const }),
  };
}

/** Counted over all that the user runs, so it cannot be one job's share: it bounds a fork storm, no more. */
function processesOfUser(pids: number, jobs: number): number {
  return pids * (jobs + 1) + (isRoot() ? 0 : OTHERS_THREADS);
}
