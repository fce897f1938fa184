import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { Kysely } from 'kysely';
import { loadConfig } from '../../../src/config/load-config.js';
import { Database } from '../../../src/database/database.js';
import { SqliteConnection } from '../../../src/database/sqlite/sqlite-connection.js';
import { DatabaseInUseError, SchemaTooNewError } from '../../../src/database/database.errors.js';
import { ClaimRepository } from '../../../src/jobs/store/claim.repository.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { TestDatabase, whyNoPostgres } from '../../support/database/test-database.js';
import { describeJobStore } from './job-store.contract.js';

const folders: string[] = [];

afterAll(async () => {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'maps-store-'));
  folders.push(folder);
  return folder;
}

async function openSqlite(folder?: string): Promise<Database> {
  return new Database(loadConfig({ DATA_DIR: folder ?? (await newFolder()) }));
}

describeJobStore('SQLite', openSqlite);

describe('an SQLite file', () => {
  it('belongs to one server, and is free again when that one is gone', async () => {
    const folder = await newFolder();
    const first = await openSqlite(folder);
    await first.migrate();
    await expect(openSqlite(folder)).rejects.toThrow(DatabaseInUseError);
    await first.onApplicationShutdown();
    const second = await openSqlite(folder);
    await second.ping();
    await second.onApplicationShutdown();
  });

  it('is set up to shrink', async () => {
    const folder = await newFolder();
    const database = await openSqlite(folder);
    await database.migrate();
    await database.onApplicationShutdown();
    const file = new SqliteConnection(join(folder, 'maps.sqlite'), true);
    expect(file.pragma('auto_vacuum')).toBe(2);
    file.close();
  });

  it('of a newer version is refused by name', async () => {
    const database = await openSqlite();
    await database.migrate();
    const db = database.db as unknown as Kysely<{ kysely_migration: { name: string; timestamp: string } }>;
    await db.insertInto('kysely_migration').values({ name: '9999-future', timestamp: 'now' }).execute();
    await expect(database.migrate()).rejects.toThrow(SchemaTooNewError);
    await database.onApplicationShutdown();
  });
});

describeTier('postgres', whyNoPostgres, () => {
  const databases: TestDatabase[] = [];

  const createDatabase = async (): Promise<TestDatabase> => {
    const database = await TestDatabase.create();
    databases.push(database);
    return database;
  };

  afterAll(async () => {
    for (const database of databases) await database.drop();
  });

  describeJobStore('PostgreSQL', async () => openPostgres(await createDatabase()));

  it('gives each of 2,000 waiting jobs to one of four replicas, once', async () => {
    const shared = await createDatabase();
    const replicas = await Promise.all([1, 2, 3, 4].map(() => openPostgres(shared)));
    await replicas[0]!.migrate();
    await shared.query(`
      with ids as (insert into jobs (id, environment, priority, state, available_at, timeout_seconds, memory_mb, cpus,
        network, retries, created_at)
        select gen_random_uuid(), 'default', n % 3, 'QUEUED', 0, 60, 64, 1, 'NONE', 0, n
        from generate_series(1, 2000) n returning id)
      insert into job_specs (job_id, script, request, env) select id, 'x', 'null', '{}' from ids`);
    const taken: string[] = [];
    const takeAll = async (database: Database, owner: string): Promise<void> => {
      const claims = new ClaimRepository(database);
      for (let isEmpty = false; !isEmpty;) {
        const claimed = await claims.claim(owner, 7, 0, 60_000, ({ id }) => ({
          runtime: 'fake',
          scope: 'scope',
          workload: `runner-${id}`,
          workspace: id,
          handle: null,
          key: null,
          startKind: 'COLD',
          startWhy: '',
        }));
        taken.push(...claimed.map(({ job }) => job.id));
        // What another one is just taking is skipped, so nothing found is the end only when nothing waits.
        isEmpty = claimed.length === 0 && (await claims.nextAvailableInMs()) === undefined;
      }
    };
    await Promise.all(replicas.map((replica, n) => takeAll(replica, `replica-${n}`)));
    expect([taken.length, new Set(taken).size]).toEqual([2000, 2000]);
    expect(await shared.query('select distinct owner, attempt, epoch from jobs order by owner')).toEqual(
      replicas.map((_, n) => ({ owner: `replica-${n}`, attempt: 1, epoch: 1 })),
    );
    await Promise.all(replicas.map((replica) => replica.onApplicationShutdown()));
  });

  it('lets replicas that start together migrate once', async () => {
    const shared = await createDatabase();
    const replicas = await Promise.all([1, 2, 3].map(() => openPostgres(shared)));
    await Promise.all(replicas.map((replica) => replica.migrate()));
    expect(await replicas[0]!.db.selectFrom('jobs').selectAll().execute()).toEqual([]);
    await Promise.all(replicas.map((replica) => replica.onApplicationShutdown()));
  });
});

async function openPostgres({ url }: TestDatabase): Promise<Database> {
  return new Database(loadConfig({ DATA_DIR: await newFolder(), DATABASE_URL: url }));
}
