import type { AppConfig } from '../../config/app-config.js';
import type { LimitsConfig } from '../../config/parts/limits-config.js';
import type { ClaimedJob, Job } from '../../jobs/record/job.js';
import type { WorkloadLimits, WorkloadSpec } from '../../runtime/runtime-provider.js';
import type { WorkspacePaths } from '../../workspace/workspace-paths.js';

/** What the runtime is told. Pure. */
export function toWorkloadSpec(
  { job, attempt, spec }: ClaimedJob,
  workspace: WorkspacePaths,
  { environments, limits }: Pick<AppConfig, 'environments' | 'limits'>,
): WorkloadSpec {
  return {
    name: attempt.workload,
    jobId: job.id,
    attempt: attempt.number,
    image: environments.imageOf(job.environment),
    workspace,
    limits: toWorkloadLimits(job, limits),
    network: job.network,
    timeoutSeconds: job.timeoutSeconds,
    graceSeconds: limits.STOP_GRACE_SECONDS,
    secrets: spec.secrets,
  };
}

export function toWorkloadLimits(
  { memoryMb, cpus }: Pick<Job, 'memoryMb' | 'cpus'>,
  { MAX_PIDS: pids, MAX_TMP_BYTES: tmpBytes }: LimitsConfig,
): WorkloadLimits {
  return { memoryMb, cpus, pids, tmpBytes };
}
