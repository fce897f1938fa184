import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from '@jest/globals';
import pg from 'pg';
import { newId } from '../../src/common/ids.js';
import type { AppConfig } from '../../src/config/app-config.js';
import { loadConfig } from '../../src/config/load-config.js';
import { Database } from '../../src/database/database.js';
import type { DialectName } from '../../src/database/dialect.js';
import { describeTier } from './runtime-tier.js';

const serverUrl = process.env.TEST_DATABASE_URL;

export interface OpenDatabase {
  database: Database;
  config: AppConfig;
}

/** Opens the database of the suite once more, as another replica does; SQLite has one, PostgreSQL any number. */
export type OpenDatabases = (variables?: Record<string, string>) => Promise<OpenDatabase>;

/** Runs the same body on every database that is there, each time on an empty one of its own. */
export function describeDatabases(body: (open: OpenDatabases, dialect: DialectName) => void): void {
  describe('on SQLite', () => {
    const dataDir = ownFolder();
    body((variables) => open({ DATA_DIR: dataDir, ...variables }), 'sqlite');
  });
  describeTier('postgres', serverUrl ? undefined : 'TEST_DATABASE_URL is not set.', () => {
    describe('on PostgreSQL', () => {
      const dataDir = ownFolder();
      const url = ownDatabase();
      body((variables) => open({ DATA_DIR: dataDir, DATABASE_URL: url, ...variables }), 'postgres');
    });
  });
}

async function open(variables: Record<string, string>): Promise<OpenDatabase> {
  const config = loadConfig(variables);
  const database = new Database(config);
  await database.migrate();
  return { database, config };
}

function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'maps-database-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The URL of a database that is there while the suite runs. */
export function ownDatabase(): string {
  const name = `maps_test_${newId().replaceAll('-', '')}`;
  const url = new URL(serverUrl!);
  url.pathname = `/${name}`;
  beforeAll(() => administer(`create database ${name}`));
  afterAll(() => administer(`drop database if exists ${name} with (force)`));
  return url.href;
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(statement);
  await client.end();
}
