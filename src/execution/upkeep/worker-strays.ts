import { Injectable } from '@nestjs/common';
import { Database } from '../../database/database.js';
import { WarmPool } from '../../runtime/pool/warm-pool.js';
import { isWorkerId, isWorkerWorkload, workerIdOf } from '../../runtime/pool/warm-worker.js';
import type { WorkloadSummary } from '../../runtime/runtime-provider.js';

/**
 * Which workers belong to no server any more. They have no job whose row would tell. This server knows its own workers.
 * On a shared database a worker may be another server's, for as long as any worker can wait. On a database of this
 * server alone, every other worker is one of a server that is gone.
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

  /** How long a workspace that belongs to no job is left alone. */
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
