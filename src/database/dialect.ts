import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { Kysely, RawBuilder } from 'kysely';
import { PostgresDialect, SqliteDialect, sql } from 'kysely';
import type { Dialect } from 'kysely';
import { errnoOf } from '../common/app-error.js';
import type { AppConfig } from '../config/app-config.js';
import { DatabaseInUseError } from './database.errors.js';
import { createPool } from './postgres-pool.js';
import type { Tables } from './tables.js';

export type DialectName = 'sqlite' | 'postgres';
export type Db = Kysely<Tables>;

export function dialectName(config: AppConfig): DialectName {
  return config.DATABASE_URL?.startsWith('postgres') ? 'postgres' : 'sqlite';
}

/** The database's own clock, milliseconds since 1970 UTC. Leases are compared on it, never on a replica's clock. */
export function databaseNowMs(dialect: DialectName): RawBuilder<number> {
  return dialect === 'postgres'
    ? sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`
    : sql<number>`cast(unixepoch('subsec') * 1000 as integer)`;
}

export function createDialect(config: AppConfig): Dialect {
  return dialectName(config) === 'postgres'
    ? new PostgresDialect({ pool: createPool(config) })
    : sqliteDialect(sqlitePath(config));
}

export function sqlitePath(config: AppConfig): string {
  const named = config.DATABASE_URL?.replace(/^sqlite:(\/\/)?/, '');
  return named ? resolve(named) : join(config.dataDir, 'maps.sqlite');
}

function sqliteDialect(path: string): Dialect {
  mkdirSync(dirname(path), { recursive: true });
  return new SqliteDialect({ database: openSqlite(path) });
}

/**
 * Opens the file for this process alone: the lock belongs to the open file and dies with the process. FULL makes an
 * acknowledged job survive a power cut (NORMAL only survives a crash of the process).
 */
function openSqlite(path: string): Sqlite.Database {
  const database = new Sqlite(path, { timeout: 1_000 });
  try {
    database.pragma('auto_vacuum = INCREMENTAL');
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    // Takes the exclusive lock now, not at the first write.
    database.exec('begin exclusive; commit');
    return database;
  } catch (error) {
    database.close();
    if (errnoOf(error)?.startsWith('SQLITE_BUSY')) throw new DatabaseInUseError(path);
    throw error;
  }
}
