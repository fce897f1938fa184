import { Injectable } from '@nestjs/common';
import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import { JoinedReads } from '../common/async/joined-reads.js';
import { Database } from '../database/database.js';
import type { OutboxBatch, OutboxPosition } from './outbox-change.js';
import { comparePositions } from './outbox-change.js';
import { XMIN, inOrder, isBehind, isSettled } from './outbox-order.js';

/** Changes of one read. */
const BATCH = 200;

interface BatchRow {
  removed_xid: number;
  removed_seq: number;
  has_unsettled: number;
  /** Null, with all that follow, when there is nothing to read. */
  xid: number | null;
  seq: number;
  job_id: string;
  tenant_id: string;
  state: string;
  attempt: number;
  cancel_requested: number;
  at: number;
}

/**
 * Reads the outbox from any position. A change is given when every change that may come before it can be read too, so
 * whoever goes on from `end` misses none.
 */
@Injectable()
export class OutboxReader {
  private readonly reads = new JoinedReads();

  constructor(private readonly database: Database) {}

  /** The position from which every change is read that is committed from now on; some that were just before it, too. */
  async head(): Promise<OutboxPosition> {
    const { rows } = this.database.isShared
      ? await sql<OutboxPosition>`select ${XMIN} as xid, 0 as seq`.execute(this.database.db)
      : await sql<OutboxPosition>`select 0 as xid, max(coalesce((select max(seq) from outbox), 0), seq) as seq
          from outbox_removed`.execute(this.database.db);
    const [row] = rows;
    if (!row) throw new Error('the outbox has no row that says where it begins');
    return { xid: Number(row.xid), seq: Number(row.seq) };
  }

  /** The next changes behind `position`. Readers at one position share the read, and its result. */
  read(position: OutboxPosition): Promise<OutboxBatch> {
    return this.reads.read(`${position.xid}:${position.seq}`, () => this.readNow(position));
  }

  /** One statement: what is read and what was removed are of one moment. */
  private async readNow(position: OutboxPosition): Promise<OutboxBatch> {
    const { rows } = await sql<BatchRow>`
      select removed.xid as removed_xid, removed.seq as removed_seq, ${this.hasUnsettled(position)} as has_unsettled, next.*
      from outbox_removed as removed
      left join (
        select * from outbox where ${isBehind(this.database, position)} and ${isSettled(this.database)}
        order by ${inOrder(this.database)} limit ${sql.lit(BATCH)}
      ) as next on 1 = 1
      order by next.xid, next.seq`.execute(this.database.db);
    return toBatch(rows, position);
  }

  private hasUnsettled(position: OutboxPosition): RawBuilder<number> {
    if (!this.database.isShared) return sql<number>`0`;
    const isLater = sql`${isBehind(this.database, position)} and xid >= ${XMIN}`;
    return sql<number>`case when exists (select 1 from outbox where ${isLater}) then 1 else 0 end`;
  }
}

function toBatch(rows: readonly BatchRow[], position: OutboxPosition): OutboxBatch {
  const [first] = rows;
  if (!first) throw new Error('the outbox has no row that says where it begins');
  const removed = { xid: first.removed_xid, seq: first.removed_seq };
  const found = rows.filter(({ xid }) => xid !== null);
  const last = found.at(-1);
  const isBehind = comparePositions(position, removed) < 0;
  return {
    changes: found.map((row) => ({
      jobId: row.job_id,
      tenant: row.tenant_id,
      state: row.state,
      attempt: row.attempt,
      isCancelRequested: row.cancel_requested === 1,
      atMs: row.at,
    })),
    end: last ? { xid: last.xid ?? 0, seq: last.seq } : isBehind ? removed : position,
    isBehind,
    hasUnsettled: first.has_unsettled === 1,
  };
}
