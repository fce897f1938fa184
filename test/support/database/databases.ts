import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from '@jest/globals';
import type { AppConfig } from '../../../src/config/app-config.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { Database } from '../../../src/database/database.js';
import type { DialectName } from '../../../src/database/dialect.js';
import { describeTier, sayUsed } from '../runtimes/runtime-tier.js';
import { TestDatabase, whyNoPostgres } from './test-database.js';

export interface OpenDatabase {
  database: Database;
  config: AppConfig;
}

/** Opens the database of the suite once more, as another replica does; SQLite has one, PostgreSQL any number. */
export type OpenDatabases = (variables?: Record<string, string>) => Promise<OpenDatabase>;

/** Runs the same body on every database that is there, each time on an empty one of its own. */
export function describeDatabases(body: (open: OpenDatabases, dialect: DialectName) => void): void {
  describe('on SQLite', () => {
    sayUsed('sqlite');
    const dataDir = ownFolder();
    body((variables) => open({ DATA_DIR: dataDir, ...variables }), 'sqlite');
  });
  describeTier('postgres', whyNoPostgres, () => {
    describe('on PostgreSQL', () => {
      const dataDir = ownFolder();
      let own: TestDatabase;
      beforeAll(async () => (own = await TestDatabase.create()));
      afterAll(() => own.drop());
      body((variables) => open({ DATA_DIR: dataDir, DATABASE_URL: own.url, ...variables }), 'postgres');
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
