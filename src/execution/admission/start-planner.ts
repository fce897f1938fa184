import { Inject, Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { LimitsConfig } from '../../config/parts/limits-config.js';
import type { Job, JobSpec, NewAttempt } from '../../jobs/record/job.js';
import { WarmPool } from '../../runtime/pool/warm-pool.js';
import type { WarmWorker } from '../../runtime/pool/warm-worker.js';
import type { RuntimeProvider } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { workloadName } from '../../runtime/workload-name.js';
import { newKey } from '../../runner/key.js';
import { toWorkloadLimits } from '../attempt/workload-spec.js';

/** The part of a job that decides where it starts. It is known before the job is stored. */
export type PlannedJob = Pick<Job, 'id' | 'attempt' | 'environment' | 'memoryMb' | 'cpus' | 'network'>;

/** How an attempt starts, and the worker that was taken out of the pool for it, if any. */
export interface StartPlan {
  readonly attempt: NewAttempt;
  readonly worker: WarmWorker | undefined;
}

/** Decides whether a job that is being taken goes to a waiting worker or starts cold, and says why. */
@Injectable()
export class StartPlanner {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    private readonly pool: WarmPool,
    private readonly config: LimitsConfig,
  ) {}

  /** Takes a worker out of the pool where one fits. The caller ends each plan by `commit`, `giveBack` or `discard`. */
  plan(job: PlannedJob, spec: Pick<JobSpec, 'env' | 'secrets'>): StartPlan {
    const where = { runtime: this.runtime.name, scope: this.runtime.scope };
    const worker = this.workerFor(job, spec);
    if (typeof worker !== 'string') {
      const { workload, id: workspace, handle, key } = worker;
      const start = { startKind: 'WARM', startWhy: 'A worker was waiting.' } as const;
      return { attempt: { ...where, workload, workspace, handle, key, ...start }, worker };
    }
    const workload = workloadName(job.id, job.attempt);
    const start = { startKind: 'COLD', startWhy: worker } as const;
    const attempt = { ...where, workload, workspace: newId(), handle: null, key: newKey(), ...start };
    return { attempt, worker: undefined };
  }

  /** The job has been taken with its plan. */
  commit({ worker }: StartPlan): void {
    if (worker) this.pool.release(worker);
  }

  /** The job has certainly not been taken. */
  giveBack({ worker }: StartPlan): void {
    if (worker) this.pool.giveBack(worker);
  }

  /** Nobody knows whether the job has been taken. */
  discard({ worker }: StartPlan): void {
    if (worker) void this.pool.discard(worker);
  }

  private workerFor(
    job: PlannedJob,
    { env, secrets }: Pick<JobSpec, 'env' | 'secrets'>,
  ): WarmWorker | string {
    // The worker may be what made the first attempt fail.
    if (job.attempt > 1) return 'Repeated attempts start cold.';
    return this.pool.take({
      environment: job.environment,
      limits: toWorkloadLimits(job, this.config),
      network: job.network,
      env: Object.keys(env),
      secrets,
    });
  }
}
