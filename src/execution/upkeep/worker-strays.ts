import { Injectable } from '@nestjs/common';
import { Database } from '../../database/database.js';
import { WarmPool } from '../../runtime/pool/warm-pool.js';
import { isWorkerId, isWorkerWorkload, workerIdOf } from '../../runtime/pool/warm-worker.js';
import type { WorkloadSummary } from '../../runtime/runtime-provider.js';

/**
 * Which workers nobody waits with any more. They belong to no job, so that the jobs do not tell: this server knows its
 * own; one of a server that shares the database may wait for as long as any worker can; where the database is this
 * server's alone, others are those of a server that is gone.
 */
@Injectable()
export class WorkerStrays {
  constructor(
    private readonly pool: WarmPool,
    private readonly database: Database,
  ) {}

  /** Whether this server's pool has the worker of this workspace. */
  holds(workspace: string): boolean {
    return this.pool.holds(workspace);
  }

  /** How long a workspace that belongs to no job is let be. */
  graceMs(workspace: string, usually: number): number {
    return this.database.isShared && isWorkerId(workspace) ? this.pool.longestLifeMs : usually;
  }

  /** Whether a workload that belongs to no live job may go; undefined when it is no worker. */
  verdictOnWorkload({ name, state, createdAtMs }: WorkloadSummary, graceMs: number): boolean | undefined {
    if (!isWorkerWorkload(name)) return undefined;
    if (this.pool.holds(workerIdOf(name))) return false;
    if (!this.database.isShared) return true;
    return Date.now() - createdAtMs > (state === 'ended' ? graceMs : this.pool.longestLifeMs);
  }
}
