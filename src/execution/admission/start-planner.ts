import { Inject, Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { LimitsConfig } from '../../config/limits-config.js';
import type { JobRow, JobSpecRow } from '../../database/tables.js';
import type { AttemptPlan, NewAttempt } from '../../jobs/store/claimed-job.js';
import type { WarmWorker } from '../../runtime/pool/warm-worker.js';
import { WarmPool } from '../../runtime/pool/warm-pool.js';
import type { RuntimeProvider } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { workloadName } from '../../runtime/workload-name.js';
import { toNetwork, toWorkloadLimits } from '../attempt/job-order.js';

/** Decides for claimed jobs whether they go to a worker that waits or start cold, and why. */
@Injectable()
export class StartPlanner {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    private readonly pool: WarmPool,
    private readonly config: LimitsConfig,
  ) {}

  /**
   * Runs `claim` with a planner of its attempts. The workers that it plans with are the jobs' when it resolves; when it
   * rejects nobody knows whether they are, so nobody gets them.
   */
  async plan<T>(claim: (plan: AttemptPlan) => Promise<T>): Promise<T> {
    const workers: WarmWorker[] = [];
    try {
      const claimed = await claim((job, spec) => this.planOne(job, spec, workers));
      for (const worker of workers) this.pool.release(worker);
      return claimed;
    } catch (error) {
      for (const worker of workers) void this.pool.discard(worker);
      throw error;
    }
  }

  private planOne(job: JobRow, spec: JobSpecRow, workers: WarmWorker[]): NewAttempt {
    const where = { runtime: this.runtime.name, scope: this.runtime.scope };
    const worker = this.workerFor(job, spec);
    if (typeof worker === 'string') {
      const workload = workloadName(job.id, job.attempt);
      return { ...where, workload, workspace: newId(), handle: null, startKind: 'COLD', startWhy: worker };
    }
    workers.push(worker);
    const { workload, id: workspace, handle } = worker;
    return { ...where, workload, workspace, handle, startKind: 'WARM', startWhy: 'A worker was waiting.' };
  }

  private workerFor(job: JobRow, spec: JobSpecRow): WarmWorker | string {
    // What made the first attempt fail may be the worker.
    if (job.attempt > 1) return 'Repeated attempts start cold.';
    return this.pool.take({
      environment: job.environment,
      limits: toWorkloadLimits(job, this.config),
      network: toNetwork(job),
      env: Object.keys(JSON.parse(spec.env) as object),
      secrets: JSON.parse(spec.secrets) as string[],
    });
  }
}
