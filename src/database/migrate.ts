import type { Kysely, Migration } from 'kysely';
import { Migrator } from 'kysely';
import type { DialectName } from './dialect.js';
import { SchemaTooNewError } from './database.errors.js';
import { createJobs } from './migrations/0001-jobs.js';
import { addJobSecrets } from './migrations/0002-job-secrets.js';
import { addRetention } from './migrations/0003-retention.js';
import { addOutbox } from './migrations/0004-outbox.js';
import { addAttemptKey } from './migrations/0005-attempt-key.js';
import { noteForOthers } from './migrations/0006-note-for-others.js';

/** All migrations by name; for `migrateToLatest`, and for tests that begin at an earlier one. */
export function migrations(dialect: DialectName): Record<string, Migration> {
  return {
    '0001-jobs': createJobs(dialect),
    '0002-job-secrets': addJobSecrets,
    '0003-retention': addRetention,
    '0004-outbox': addOutbox(dialect),
    '0005-attempt-key': addAttemptKey,
    '0006-note-for-others': noteForOthers(dialect),
  };
}

/**
 * Brings the schema up to date. Replicas that start together take turns (the migrator holds a database lock that a
 * crash frees). Throws `SchemaTooNewError` instead of guessing what a newer schema means.
 */
export async function migrateToLatest(db: Kysely<never>, dialect: DialectName): Promise<void> {
  const known = migrations(dialect);
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(known) } });
  const applied = await appliedMigrations(db);
  const unknown = applied.filter((name) => !(name in known));
  if (unknown.length > 0) throw new SchemaTooNewError(unknown);
  if (applied.length === Object.keys(known).length) return;
  // Each in a transaction of its own: one that has locked a table must not wait for another one's, which a server of the
  // earlier release may hold while it waits for the first.
  while (await migrateOnce(migrator));
}

/** False when nothing was left to do. */
async function migrateOnce(migrator: Migrator): Promise<boolean> {
  const { error, results = [] } = await migrator.migrateUp();
  if (error) throw error instanceof Error ? error : new Error('migration failed', { cause: error });
  return results.length > 0;
}

async function appliedMigrations(db: Kysely<never>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === 'kysely_migration')) return [];
  const rows = await (db as unknown as Kysely<{ kysely_migration: { name: string } }>)
    .selectFrom('kysely_migration')
    .select('name')
    .execute();
  return rows.map((row) => row.name);
}
