import type { WorkloadSpec } from './runtime-provider.js';

/** What the runner of a workload needs in its environment to wait for a job; nothing for any other workload. */
export function workerVariables({ worker }: Pick<WorkloadSpec, 'worker'>): Readonly<Record<string, string>> {
  if (!worker) return {};
  return {
    RUNNER_WORKER: '1',
    RUNNER_WORKER_IDLE_SECONDS: String(worker.idleSeconds),
    ...(worker.preload ? { RUNNER_PRELOAD: worker.preload.join(',') } : {}),
  };
}
