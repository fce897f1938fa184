import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Kysely } from 'kysely';
import { Migrator } from 'kysely';
import pg from 'pg';
import { newId } from '../../../src/common/ids.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { Database } from '../../../src/database/database.js';
import { migrations } from '../../../src/database/migrate.js';
import { changeJobs } from '../../../src/jobs/store/change-jobs.js';
import { toJobRow } from '../../../src/jobs/store/rows.js';
import { OutboxReader } from '../../../src/outbox/outbox-reader.js';
import { TestDatabase, whyNoPostgres } from '../../support/database/test-database.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { submission } from '../../support/service/job-submission.js';
import { waitFor } from '../../support/wait-for.js';

/** What release 0.1.0 knows. */
const RELEASED = '0003-retention';
const BEGINNING = { xid: 0, seq: 0 };

describeTier('postgres', whyNoPostgres, () => {
  describe('a database that a server of an earlier release still uses', () => {
    let own: TestDatabase;
    let database: Database;
    /** A connection of that server. */
    let earlier: pg.Client;

    beforeEach(async () => {
      own = await TestDatabase.create();
      database = new Database(loadConfig({ DATABASE_URL: own.url }));
      const db = database.db as unknown as Kysely<never>;
      const getMigrations = () => Promise.resolve(migrations('postgres'));
      const { error } = await new Migrator({ db, provider: { getMigrations } }).migrateTo(RELEASED);
      expect(error).toBeUndefined();
      earlier = new pg.Client(own.url);
      await earlier.connect();
    });

    afterEach(async () => {
      await earlier.end();
      await database.onApplicationShutdown();
      await own.drop();
    });

    const insert = async (): Promise<string> => {
      const row = toJobRow(newId(), 'default', submission({}), 0);
      const values = Object.values(row);
      const places = values.map((_, at) => `$${at + 1}`).join();
      await earlier.query(`insert into jobs (${Object.keys(row).join()}) values (${places})`, values);
      return row.id;
    };

    const changesOf = async (jobId: string): Promise<string[]> => {
      const reader = new OutboxReader(database);
      const batch = await waitFor(async () => {
        const read = await reader.read(BEGINNING);
        return read.hasUnsettled ? undefined : read;
      });
      const ofJob = batch.changes.filter((change) => change.jobId === jobId);
      return ofJob.map((change) => `${change.state}${change.isCancelRequested ? ' cancel' : ''}`);
    };

    it('is migrated while that one holds a table that it reads with another', async () => {
      await insert();
      await earlier.query('begin');
      await earlier.query('select count(*) from attempts');
      const migrating = database.migrate();
      await waitFor(async () => (await waitingForLocks()) > 0);
      // It would wait for the migration as the migration waits for it, and one of them would be broken off.
      await earlier.query('select count(*) from jobs');
      await earlier.query('commit');
      await migrating;
    });

    const waitingForLocks = async (): Promise<number> => {
      const rows = await own.query<{ count: string }>(
        `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return Number(rows[0]?.count);
    };

    it('notes what that one changes, each once, among what is noted by a newer one', async () => {
      const before = await insert();
      await database.migrate();
      const [id, other] = [await insert(), await insert()];
      await earlier.query(`update jobs set state = 'STARTING', attempt = 1 where id <> $1`, [other]);
      await earlier.query(`update jobs set lease_until = 1, message = 'm'`);
      await changeJobs(database, undefined, (db) =>
        db.updateTable('jobs').set({ cancel_requested: 1 }).where('id', '=', id),
      );
      await earlier.query(`update jobs set state = 'CANCELLED' where id = $1`, [id]);
      expect(await changesOf(id)).toEqual(['QUEUED', 'STARTING', 'STARTING cancel', 'CANCELLED cancel']);
      expect(await changesOf(before)).toEqual(['STARTING']);
      expect(await changesOf(other)).toEqual(['QUEUED']);
    });

    it('has the changes of one job in their order where an older transaction of that one comes later', async () => {
      await database.migrate();
      const id = await insert();
      await earlier.query('begin');
      await earlier.query('select pg_current_xact_id()');
      await changeJobs(database, undefined, (db) => db.updateTable('jobs').set({ state: 'STARTING' }));
      await earlier.query(`update jobs set state = 'RUNNING'`);
      await earlier.query('commit');
      await changeJobs(database, undefined, (db) => db.updateTable('jobs').set({ state: 'SUCCEEDED' }));
      expect(await changesOf(id)).toEqual(['QUEUED', 'STARTING', 'RUNNING', 'SUCCEEDED']);
    });
  });
});
