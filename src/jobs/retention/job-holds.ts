import type { OnApplicationShutdown } from '@nestjs/common';
import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { messageOf } from '../../common/app-error.js';
import { Clock } from '../../common/clock.js';
import type { Principal } from '../../common/principal.js';
import { SYSTEM } from '../../common/principal.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { Database } from '../../database/database.js';
import { ofTenant } from '../store/of-tenant.js';
import { JobNotFoundError } from '../record/job.errors.js';

/** How long a hold lasts unless it is renewed, also after its release: who fetches one file often fetches another. */
const HOLD_MS = 60_000;
const RENEW_MS = 20_000;

/**
 * The finished jobs whose files are being read: retention leaves them alone. This process keeps its own holds in memory.
 * Where other replicas may delete jobs too, a hold is also written to the job's row.
 */
@Injectable()
export class JobHolds implements OnApplicationShutdown {
  protected readonly renewMs: number = RENEW_MS;
  private readonly counts = new Map<string, number>();
  private readonly lingering = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    @Inject(LOG) private readonly log: Log,
  ) {}

  /** Holds a job; returns its release, safe to call twice. @throws JobNotFoundError when the job was deleted before. */
  async hold(principal: Principal, jobId: string): Promise<() => void> {
    this.counts.set(jobId, (this.counts.get(jobId) ?? 0) + 1);
    this.timer ??= setInterval(() => void this.renew(), this.renewMs).unref();
    const release = this.releaser(jobId);
    try {
      if ((await this.mark(principal, [jobId])) === 0) throw new JobNotFoundError(jobId);
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** The jobs that this process holds, or held a moment ago. */
  ids(): string[] {
    const nowMs = this.clock.nowMs();
    for (const [id, untilMs] of this.lingering) if (untilMs < nowMs) this.lingering.delete(id);
    return [...new Set([...this.held(), ...this.lingering.keys()])];
  }

  /** The jobs of which something is being read now. */
  held(): string[] {
    return [...this.counts.keys()];
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private releaser(jobId: string): () => void {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.lingering.set(jobId, this.clock.nowMs() + HOLD_MS);
      const left = (this.counts.get(jobId) ?? 1) - 1;
      if (left > 0) this.counts.set(jobId, left);
      else this.counts.delete(jobId);
    };
  }

  private async renew(): Promise<void> {
    this.ids();
    const held = this.held();
    if (held.length === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
      return;
    }
    try {
      if (this.database.isShared) await this.mark(SYSTEM.retention, held);
    } catch (error) {
      this.log.warn({ err: messageOf(error) }, 'what is being read could not be marked; trying again');
    }
  }

  /** Returns how many of the jobs are there. */
  private async mark(principal: Principal, ids: readonly string[]): Promise<number> {
    const { db, isShared } = this.database;
    // Where no other process deletes, a download needs no row and no commit.
    if (!isShared)
      return (
        await db.selectFrom('jobs').select('id').where('id', 'in', ids).where(ofTenant(principal)).execute()
      ).length;
    const result = await db
      .updateTable('jobs')
      .set({ in_use_until: sql<number>`${this.database.now()} + ${sql.lit(HOLD_MS)}` })
      .where('id', 'in', ids)
      .where(ofTenant(principal))
      .executeTakeFirst();
    return Number(result.numUpdatedRows);
  }
}
