import type { Transaction } from 'kysely';
import { sql } from 'kysely';
import type { Principal } from '../../common/principal.js';
import type { Database } from '../../database/database.js';
import type { Tables } from '../../database/tables.js';
import type { Fence } from '../record/job.js';
import type { JobReason } from '../record/job-reason.js';
import type { TerminalState } from '../record/job-state.js';
import { statesBefore } from '../record/job-state.js';
import { changeJobs } from './change-jobs.js';
import { ofFence } from './of-fence.js';
import { ofTenant } from './of-tenant.js';

/** How a job ended, as its row tells it. Times are milliseconds since 1970 UTC. */
export interface JobEnd {
  state: TerminalState;
  reason: JobReason;
  message: string;
  hint: string | null;
  exitCode: number | null;
  signal: string | null;
  startedAtMs: number | null;
  endedAtMs: number | null;
  finishedAtMs: number;
  wallMs: number | null;
  cpuMs: number | null;
  peakMemoryBytes: number | null;
  logDroppedBytes: number;
  /** Bytes that the last attempt keeps on the disks: its outputs and its log. */
  storedBytes: number;
}

/** Whose end it is: a job that its owner runs, or one that waits and was cancelled. */
export type EndingJob =
  { readonly live: Fence } | { readonly waiting: string; readonly principal: Principal };

/**
 * The one write of a terminal state. A compare-and-set: false when the job is not (any more) the one that is meant, and
 * nothing was written. Without a transaction it is a commit by itself.
 */
export async function endJob(
  database: Database,
  tx: Transaction<Tables> | undefined,
  job: EndingJob,
  end: JobEnd,
): Promise<boolean> {
  const changed = await changeJobs(database, tx, (db) => {
    const update = db.updateTable('jobs').set(toColumns(end));
    if ('live' in job)
      return update.where(ofFence(job.live)).where(
        'state',
        'in',
        statesBefore(end.state).filter((state) => state !== 'QUEUED'),
      );
    return update
      .set({ cancel_requested: 1 })
      .where('id', '=', job.waiting)
      .where(ofTenant(job.principal))
      .where('state', '=', 'QUEUED');
  });
  return changed.length === 1;
}

function toColumns(end: JobEnd) {
  return {
    state: end.state,
    reason: end.reason,
    message: end.message,
    hint: end.hint,
    exit_code: end.exitCode,
    signal: end.signal,
    ...(end.startedAtMs === null ? {} : { started_at: end.startedAtMs }),
    ended_at: end.endedAtMs,
    finished_at: end.finishedAtMs,
    wall_ms: end.wallMs,
    cpu_ms: end.cpuMs,
    peak_memory_bytes: end.peakMemoryBytes,
    log_dropped_bytes: end.logDroppedBytes,
    stored_bytes: sql<number>`stored_bytes + ${end.storedBytes}`,
    lease_until: null,
  };
}
