import { join, resolve } from 'node:path';
import type { Kysely, RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { DatabaseConfig } from '../config/parts/database-config.js';
import type { Tables } from './tables.js';

export type DialectName = 'sqlite' | 'postgres';
export type Db = Kysely<Tables>;

export function dialectName({ DATABASE_URL }: DatabaseConfig): DialectName {
  return DATABASE_URL?.startsWith('postgres') ? 'postgres' : 'sqlite';
}

/** The database's own clock, milliseconds since 1970 UTC. Leases are compared on it, never on a replica's clock. */
export function databaseNowMs(dialect: DialectName): RawBuilder<number> {
  return dialect === 'postgres'
    ? sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`
    : sql<number>`cast(unixepoch('subsec') * 1000 as integer)`;
}

export function sqlitePath({ DATABASE_URL }: DatabaseConfig, dataDir: string): string {
  const named = DATABASE_URL?.replace(/^sqlite:(\/\/)?/, '');
  return named ? resolve(named) : join(dataDir, 'maps.sqlite');
}
