import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';
import type { DialectName } from '../dialect.js';

const OWN_XID = sql.raw('pg_current_xact_id()::text::bigint');

/**
 * A server of release 0.1.0 knows no outbox. While it still runs beside newer ones, PostgreSQL writes its changes there. Who
 * does that by itself raises `changes` with each change. SQLite has one server at a time.
 */
export function noteForOthers(dialect: DialectName): Migration {
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .alterTable('jobs')
        .addColumn('changes', 'integer', (c) => c.notNull().defaultTo(0))
        .execute();
      if (dialect === 'postgres') await addTriggers(db);
    },
  };
}

/** After the change, so that its row is locked and the rows of the outbox get their numbers in the order of the changes. */
async function addTriggers(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function note_change() returns trigger language plpgsql as $$
    begin
      update jobs set change_xid = greatest(change_xid, ${OWN_XID}) where id = new.id returning change_xid into new.change_xid;
      insert into outbox (xid, tenant_id, job_id, state, attempt, cancel_requested)
        values (new.change_xid, new.tenant_id, new.id, new.state, new.attempt, new.cancel_requested);
      return null;
    end $$`.execute(db);
  await sql`
    create trigger note_insert after insert on jobs for each row
    when (new.changes = 0) execute function note_change()`.execute(db);
  await sql`
    create trigger note_update after update of state, cancel_requested on jobs for each row
    when (new.changes = old.changes
      and (new.state, new.cancel_requested) is distinct from (old.state, old.cancel_requested))
    execute function note_change()`.execute(db);
}
