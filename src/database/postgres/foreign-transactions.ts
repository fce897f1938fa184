import type { Kysely } from 'kysely';
import { sql } from 'kysely';

/** What no transaction of this PostgreSQL server can have as its number yet. */
const NEXT = sql`pg_snapshot_xmax(pg_current_snapshot())::text::bigint`;

/**
 * The outbox is ordered by numbers of transactions, and a dump may be restored into a PostgreSQL server whose numbers
 * begin lower: changes would wait for it to reach the old ones. Whatever has a number of another server is put before all
 * of this one's; a consumer that was there already begins again at the oldest change. Finished jobs are left alone, since
 * they never change. A number that is seen here is of a transaction that has ended, so those of this server are never
 * taken for another's.
 */
export async function forgetForeignTransactions(db: Kysely<never>): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`update outbox set xid = 0 where xid >= ${NEXT}`.execute(tx);
    await sql`update outbox_removed set xid = 0, seq = 0 where xid >= ${NEXT}`.execute(tx);
    await sql`update outbox_consumers set xid = 0, seq = 0 where xid >= ${NEXT}`.execute(tx);
    // Apart, so that each finds its partial index.
    await sql`update jobs set change_xid = 0 where state = 'QUEUED' and change_xid >= ${NEXT}`.execute(tx);
    await sql`update jobs set change_xid = 0
      where state in ('STARTING', 'RUNNING') and change_xid >= ${NEXT}`.execute(tx);
  });
}
