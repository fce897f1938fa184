import { Inject, Injectable } from '@nestjs/common';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { AttemptRepository } from '../../jobs/store/attempt.repository.js';
import type { RuntimeProvider, WorkloadSummary } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { removeEach } from './remove-each.js';
import { WorkerStrays } from './worker-strays.js';

/** Workloads that belong to no live job. */
@Injectable()
export class OrphanWorkloads {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly attempts: AttemptRepository,
    private readonly strays: WorkerStrays,
  ) {}

  /** Returns how many were removed. */
  async sweep(graceMs: number, signal: AbortSignal): Promise<number> {
    const isOld = ({ createdAtMs }: WorkloadSummary): boolean => createdAtMs < Date.now() - graceMs;
    const listed = await this.runtime.list(signal);
    // Asked before the jobs are read: a worker that the pool has just let go is committed to its job by then.
    const old = listed.filter((each) => this.strays.verdictOnWorkload(each, graceMs) ?? isOld(each));
    const live = new Set((await this.attempts.liveAttempts()).map(({ workload }) => workload));
    const orphans = old.filter((workload) => !live.has(workload.name));
    return removeEach(orphans, (orphan) => this.runtime.remove(orphan.handle, signal), this.log);
  }
}
