import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';
import type { DialectName } from '../dialect.js';
import { databaseNowMs } from '../dialect.js';

const OWN_XID = sql`(pg_current_xact_id()::text::bigint)`;

/** The columns of a position. A number of SQLite is never given twice, also when all rows are gone. */
const POSITION = {
  postgres: sql`xid bigint not null default ${OWN_XID}, seq bigserial not null, primary key (xid, seq)`,
  sqlite: sql`seq integer primary key autoincrement, xid integer not null default 0`,
};

/** Every change of a job as a row of the commit that made it, who reads them, and up to where they were removed. */
export function addOutbox(dialect: DialectName): Migration {
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .alterTable('jobs')
        .addColumn('change_xid', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
      // For new rows only: as a default of the new column it would write every row of the table anew.
      if (dialect === 'postgres')
        await sql`alter table jobs alter column change_xid set default ${OWN_XID}`.execute(db);
      const columns = sql`tenant_id text not null, job_id text not null, state text not null,
        attempt integer not null, cancel_requested integer not null,
        at bigint not null default (${databaseNowMs(dialect)})`;
      await sql`create table outbox (${POSITION[dialect]}, ${columns})`.execute(db);
      await db.schema
        .createTable('outbox_removed')
        .addColumn('id', 'integer', (c) => c.primaryKey())
        .addColumn('xid', 'bigint', (c) => c.notNull())
        .addColumn('seq', 'bigint', (c) => c.notNull())
        .execute();
      await sql`insert into outbox_removed (id, xid, seq) values (1, 0, 0)`.execute(db);
      await db.schema
        .createTable('outbox_consumers')
        .addColumn('name', 'text', (c) => c.primaryKey())
        .addColumn('xid', 'bigint', (c) => c.notNull())
        .addColumn('seq', 'bigint', (c) => c.notNull())
        .addColumn('owner', 'text')
        .addColumn('lease_until', 'bigint')
        .addColumn('lost', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
    },
  };
}
