import type {
  InsertObject,
  InsertQueryBuilder,
  QueryCreator,
  Transaction,
  UpdateQueryBuilder,
  UpdateResult,
} from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../../database/database.js';
import type { Db } from '../../database/dialect.js';
import type { JobRow, Tables } from '../../database/tables.js';

type JobUpdate = UpdateQueryBuilder<Tables, 'jobs', 'jobs', UpdateResult>;

const NOTED = ['tenant_id', 'attempt', 'state', 'cancel_requested'] as const;

/** Stores a new job, and its row in the outbox. */
export async function insertJob(
  database: Database,
  tx: Transaction<Tables>,
  job: InsertObject<Tables, 'jobs'>,
): Promise<JobRow> {
  const insert: Change = (db) =>
    db
      .insertInto('jobs')
      .values({ ...job, changes: 1 })
      .returningAll();
  const [row] = database.isShared ? await noteInOneStatement(tx, insert) : await note(tx, insert);
  if (!row) throw new Error('a job was inserted and is not there');
  return row;
}

/**
 * The one way to change the state or the cancel flag of jobs that are stored: `change` says which and how, and each that
 * it changes gets a row in the outbox in the same commit. Without a transaction it is a commit by itself. Returns the
 * jobs that were changed.
 */
export async function changeJobs(
  database: Database,
  tx: Transaction<Tables> | undefined,
  change: (db: QueryCreator<Tables>) => JobUpdate,
): Promise<JobRow[]> {
  if (database.isShared) {
    return noteInOneStatement(tx ?? database.db, (db) =>
      change(db)
        .set({ change_xid: NEXT_XID, changes: sql`changes + 1` })
        .returningAll(),
    );
  }
  const update: Change = (db) => change(db).returningAll();
  return tx ? note(tx, update) : database.db.transaction().execute((own) => note(own, update));
}

/**
 * A transaction may get its number before it gets the lock of the job's row, and so a smaller one than the transaction
 * that changed the job before it. Readers go by this number, and must see the changes of one job in their order.
 */
const NEXT_XID = sql<number>`greatest(change_xid, pg_current_xact_id()::text::bigint)`;

/** A change of rows of `jobs`, with the rows as they are afterwards. */
type Change = (
  db: QueryCreator<Tables>,
) => UpdateQueryBuilder<Tables, 'jobs', 'jobs', JobRow> | InsertQueryBuilder<Tables, 'jobs', JobRow>;

/** SQLite changes no rows within a `with`. */
async function note(db: Db, change: Change): Promise<JobRow[]> {
  const rows = await change(db).execute();
  const noted = rows.map(({ id, tenant_id, attempt, state, cancel_requested }) => ({
    job_id: id,
    tenant_id,
    attempt,
    state,
    cancel_requested,
  }));
  if (noted.length > 0) await db.insertInto('outbox').values(noted).execute();
  return rows;
}

/** One round trip. The rows of the outbox get their numbers after those of the jobs are locked. */
async function noteInOneStatement(db: Db, change: Change): Promise<JobRow[]> {
  return db
    .with('changed', change)
    .with('noted', (cte) =>
      cte
        .insertInto('outbox')
        .columns(['xid', 'job_id', ...NOTED])
        .expression((eb) => eb.selectFrom('changed').select(['change_xid as xid', 'id as job_id', ...NOTED])),
    )
    .selectFrom('changed')
    .selectAll()
    .execute();
}
