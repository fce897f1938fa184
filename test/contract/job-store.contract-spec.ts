import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import type { Kysely } from 'kysely';
import pg from 'pg';
import { loadConfig } from '../../src/config/load-config.js';
import { Database } from '../../src/database/database.js';
import { DatabaseInUseError, SchemaTooNewError } from '../../src/database/database.errors.js';
import { describeTier } from '../support/runtime-tier.js';
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

  it('is set up to lose no acknowledged job in a power cut, and to shrink', async () => {
    const folder = await newFolder();
    const database = await openSqlite(folder);
    await database.migrate();
    await database.onApplicationShutdown();
    const file = new Sqlite(join(folder, 'maps.sqlite'), { readonly: true });
    expect([
      file.pragma('journal_mode', { simple: true }),
      file.pragma('auto_vacuum', { simple: true }),
    ]).toEqual(['wal', 2]);
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

const serverUrl = process.env.TEST_DATABASE_URL;
describeTier('postgres', serverUrl ? undefined : 'TEST_DATABASE_URL is not set.', () => {
  const name = `maps_test_${process.pid}_${Date.now()}`;

  afterAll(async () => {
    await administer(`drop database if exists ${name} with (force)`);
  });

  describeJobStore('PostgreSQL', async () => {
    await administer(`create database ${name}`);
    return openPostgres(name);
  });

  it('lets replicas that start together migrate once', async () => {
    const other = `${name}_b`;
    await administer(`create database ${other}`);
    const replicas = await Promise.all([1, 2, 3].map(() => openPostgres(other)));
    await Promise.all(replicas.map((replica) => replica.migrate()));
    expect(await replicas[0]!.db.selectFrom('jobs').selectAll().execute()).toEqual([]);
    await Promise.all(replicas.map((replica) => replica.onApplicationShutdown()));
    await administer(`drop database ${other}`);
  });
});

async function openPostgres(name: string): Promise<Database> {
  const url = new URL(serverUrl!);
  url.pathname = `/${name}`;
  return new Database(loadConfig({ DATA_DIR: await newFolder(), DATABASE_URL: url.href }));
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(statement);
  await client.end();
}
