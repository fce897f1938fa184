import { Injectable } from '@nestjs/common';
import type { RawBuilder, Transaction } from 'kysely';
import { sql } from 'kysely';
import type { Principal } from '../../common/principal.js';
import { Database } from '../../database/database.js';
import type { Tables } from '../../database/tables.js';
import type { DeletedJob } from './deleted-job.js';
import { ofTenant } from './of-tenant.js';
import { deleteJobRows } from './delete-job-rows.js';

/** A position in the order in which jobs finished. */
export interface FinishedAt {
  finishedAtMs: number;
  id: string;
}

/** Some finished jobs in a row, newest first. */
export interface FinishedPage {
  jobs: number;
  bytes: number;
  /** The oldest of them; undefined when there is none. */
  last: FinishedAt | undefined;
}

/** Jobs of one transaction at most. */
const STEP_JOBS = 50;
/** Rows of outputs of one transaction at most, unless one job alone has more: MAX_OUTPUT_FILES bounds that. */
const STEP_OUTPUTS = 2_000;

/** Finished jobs in the order they finished. Everything here is bounded and reads an index, however many jobs there are. */
@Injectable()
export class RetentionRepository {
  constructor(private readonly database: Database) {}

  /** Counts up to `limit` finished jobs, from the newest on or from behind `after`. */
  async page(principal: Principal, limit: number, after?: FinishedAt): Promise<FinishedPage> {
    const older = after ? sql`and ${olderThan(after)}` : sql``;
    const rows = sql`select finished_at, id, stored_bytes from jobs where finished_at is not null
      and ${ofTenant(principal)} ${older}
      order by finished_at desc, id desc`;
    const sums = await sql<{ jobs: number; bytes: number | null }>`
      select count(*) as jobs, sum(stored_bytes) as bytes from (${rows} limit ${limit}) as newest
    `.execute(this.database.db);
    const jobs = Number(sums.rows[0]?.jobs ?? 0);
    if (jobs === 0) return { jobs, bytes: 0, last: undefined };
    const last = await sql<{ finished_at: number; id: string }>`${rows} limit 1 offset ${jobs - 1}`.execute(
      this.database.db,
    );
    const row = last.rows[0];
    return {
      jobs,
      bytes: Number(sums.rows[0]?.bytes ?? 0),
      last: row && { finishedAtMs: row.finished_at, id: row.id },
    };
  }

  /** Up to `limit` finished jobs one by one, as `page` counts them. */
  async rows(
    principal: Principal,
    limit: number,
    after?: FinishedAt,
  ): Promise<(FinishedAt & { bytes: number })[]> {
    let query = this.database.db
      .selectFrom('jobs')
      .select(['finished_at', 'id', 'stored_bytes'])
      .where('finished_at', 'is not', null)
      .where(ofTenant(principal));
    if (after) query = query.where(olderThan(after));
    const rows = await query.orderBy('finished_at', 'desc').orderBy('id', 'desc').limit(limit).execute();
    return rows.map((row) => ({ finishedAtMs: row.finished_at ?? 0, id: row.id, bytes: row.stored_bytes }));
  }

  /**
   * Deletes some of the oldest jobs up to and with `newest`, in one commit; none when there are no more. Leaves out jobs
   * that any replica has in use, and those that `held` names. `held` is called when the transaction has begun.
   */
  async deleteOldest(
    principal: Principal,
    newest: FinishedAt,
    held: () => readonly string[],
  ): Promise<DeletedJob[]> {
    return this.database.essential(() =>
      this.database.db.transaction().execute(async (tx) => {
        const ids = await this.lockOldest(tx, principal, newest, held());
        return ids.length === 0 ? [] : deleteJobRows(tx, principal, await withinStep(tx, ids));
      }),
    );
  }

  private async lockOldest(
    tx: Transaction<Tables>,
    principal: Principal,
    newest: FinishedAt,
    held: readonly string[],
  ): Promise<string[]> {
    let query = tx
      .selectFrom('jobs')
      .select('id')
      .where(ofTenant(principal))
      .where('finished_at', '<=', newest.finishedAtMs)
      .where((eb) => eb.or([eb('finished_at', '<', newest.finishedAtMs), eb('id', '<=', newest.id)]))
      .where((eb) => eb.or([eb('in_use_until', 'is', null), eb('in_use_until', '<', this.database.now())]))
      .orderBy('finished_at')
      .orderBy('id')
      .limit(STEP_JOBS);
    if (held.length > 0) query = query.where('id', 'not in', held);
    // Replicas that delete at the same time each lock other rows.
    if (this.database.isShared) query = query.forUpdate().skipLocked();
    return (await query.execute()).map((row) => row.id);
  }
}

function olderThan({ finishedAtMs, id }: FinishedAt): RawBuilder<boolean> {
  return sql<boolean>`(finished_at, id) < (${finishedAtMs}, ${id})`;
}

/** The first of `ids` whose outputs together fit into one step; at least one id. */
async function withinStep(tx: Transaction<Tables>, ids: string[]): Promise<string[]> {
  const counts = await tx
    .selectFrom('output_files')
    .select((eb) => ['job_id', eb.fn.countAll<number>().as('count')])
    .where('job_id', 'in', ids)
    .groupBy('job_id')
    .execute();
  const outputs = new Map(counts.map((row) => [row.job_id, Number(row.count)]));
  let sum = 0;
  return ids.filter((id, at) => (sum += outputs.get(id) ?? 0) <= STEP_OUTPUTS || at === 0);
}
