import { Inject, Injectable } from '@nestjs/common';
import { ExecutionConfig } from '../../config/parts/execution-config.js';
import { Database } from '../../database/database.js';
import type { AdoptableJob } from '../../jobs/record/job.js';
import type { RuntimeProvider } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { Replica } from '../replica.js';
import { RunningAttempts } from '../attempt/running-attempts.js';

/**
 * Which live jobs of other servers this one may take. Only a server that reaches an engine knows what became of the
 * workloads there. A server that cannot reach it waits `LOST_AFTER_SECONDS` for one that can, then calls the job lost.
 */
@Injectable()
export class AdoptionPolicy {
  private readonly startedAtMs = performance.now();

  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    private readonly replica: Replica,
    private readonly running: RunningAttempts,
    private readonly database: Database,
    private readonly config: ExecutionConfig,
  ) {}

  mayAdopt({ job, scope, lapsedMs }: AdoptableJob): boolean {
    if (job.owner === this.replica.id && this.running.has(job.id)) return false;
    if (scope === this.runtime.scope || this.runtime.isGone(scope)) return true;
    // On SQLite leases are not renewed, and no other server can come back, so the time since the start counts.
    const missingMs = this.database.isShared ? lapsedMs : performance.now() - this.startedAtMs;
    return missingMs > this.config.LOST_AFTER_SECONDS * 1000;
  }
}
