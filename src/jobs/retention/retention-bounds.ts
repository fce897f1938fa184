import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/principal.js';
import { RetentionConfig } from '../../config/parts/retention-config.js';
import type { FinishedAt } from '../store/retention.repository.js';
import { RetentionRepository } from '../store/retention.repository.js';

/** A page is counted in about a millisecond. */
const PAGE_JOBS = 5_000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** A caller needs a moment to fetch the outputs of a job, however little may be kept. */
const GRACE_MS = 60_000;

/** Which finished jobs the configuration still has room and time for. */
@Injectable()
export class RetentionBounds {
  constructor(
    private readonly retention: RetentionRepository,
    private readonly config: RetentionConfig,
  ) {}

  /** The newest job beyond a bound: that job and all older ones are to be deleted. Undefined when there is none. */
  async newestToDelete(
    principal: Principal,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<FinishedAt | undefined> {
    const byAge = this.byAge(nowMs);
    const bySize = earlier(await this.bySize(principal, signal), { finishedAtMs: nowMs - GRACE_MS, id: '' });
    return later(byAge, bySize);
  }

  private byAge(nowMs: number): FinishedAt | undefined {
    const { JOB_RETENTION_DAYS } = this.config;
    return JOB_RETENTION_DAYS === 0
      ? undefined
      : { finishedAtMs: nowMs - JOB_RETENTION_DAYS * DAY_MS, id: '' };
  }

  /** Walks from the newest job to the first one beyond the bound: page by page, then job by job. */
  private async bySize(principal: Principal, signal: AbortSignal): Promise<FinishedAt | undefined> {
    const maxJobs = this.config.JOB_RETENTION_MAX_JOBS || Infinity;
    const maxBytes = this.config.JOB_RETENTION_MAX_BYTES || Infinity;
    if (maxJobs === Infinity && maxBytes === Infinity) return undefined;
    let after: FinishedAt | undefined;
    for (let jobs = 0, bytes = 0; ;) {
      signal.throwIfAborted();
      const page = await this.retention.page(principal, PAGE_JOBS, after);
      if (jobs + page.jobs > maxJobs || bytes + page.bytes > maxBytes) {
        const rows = await this.retention.rows(principal, PAGE_JOBS, after);
        return rows.find((row) => (jobs += 1) > maxJobs || (bytes += row.bytes) > maxBytes);
      }
      if (page.jobs < PAGE_JOBS) return undefined;
      jobs += page.jobs;
      bytes += page.bytes;
      after = page.last;
      // SQLite answers within one turn of the event loop: without this the walk would block everything else.
      await nextTurn();
    }
  }
}

function earlier(a: FinishedAt | undefined, b: FinishedAt): FinishedAt | undefined {
  return a && (isBefore(a, b) ? a : b);
}

function later(a: FinishedAt | undefined, b: FinishedAt | undefined): FinishedAt | undefined {
  return a && b ? (isBefore(a, b) ? b : a) : (a ?? b);
}

function isBefore(a: FinishedAt, b: FinishedAt): boolean {
  return a.finishedAtMs < b.finishedAtMs || (a.finishedAtMs === b.finishedAtMs && a.id < b.id);
}
