import type { RuntimeCapabilities, WorkloadLimits, WorkloadSpec } from '../runtime-provider.js';
import { isUnfit } from '../../runner/unfit-variables.js';
import type { WarmWorker } from './warm-worker.js';

/** What a job asks of a worker. */
export interface WorkerNeed {
  readonly environment: string;
  readonly limits: WorkloadLimits;
  readonly network: WorkloadSpec['network'];
  /** Names of the variables that the job sets. */
  readonly env: readonly string[];
  readonly secrets: readonly string[];
}

/** What is fixed when a worker starts, the same for all of a server's. */
export type WorkerTerms = Pick<WorkloadSpec, 'limits' | 'network'>;

/**
 * Why no worker can take such a job, as a sentence; undefined when one can. Pure. Only limits that the runtime enforces
 * on the whole workload count: those that the runner enforces come with the order.
 */
export function whyNoWorkerFits(
  need: WorkerNeed,
  terms: WorkerTerms,
  capabilities: RuntimeCapabilities,
): string | undefined {
  if (need.secrets.length > 0) return 'The job names secrets, which never reach a worker that has started.';
  const unfit = need.env.filter(isUnfit);
  if (unfit.length > 0) return `The job sets ${unfit.join(', ')}, which is read before a worker has its job.`;
  if (capabilities.networkIsolation && need.network !== terms.network)
    return `The job asks for network ${need.network}; workers have ${terms.network}.`;
  const { memoryMb, cpus } = terms.limits;
  if (capabilities.memoryLimit === 'cgroup' && need.limits.memoryMb !== memoryMb)
    return `The job has a memory limit of ${need.limits.memoryMb} MiB; workers have ${memoryMb} MiB.`;
  if (capabilities.cpuLimit && need.limits.cpus !== cpus)
    return `The job has a limit of ${need.limits.cpus} CPUs; workers have ${cpus}.`;
  return undefined;
}

/** The variables of a job that this worker has read before the job came. */
export function heardTooLate(need: WorkerNeed, worker: WarmWorker): string[] {
  return need.env.filter((name) => worker.environmentRead.has(name));
}
