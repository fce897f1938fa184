import { join, resolve } from 'node:path';
import type { Kysely, RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { AppConfig } from '../config/app-config.js';
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

export function sqlitePath(config: AppConfig): string {
  const named = config.DATABASE_URL?.replace(/^sqlite:(\/\/)?/, '');
  return named ? resolve(named) : join(config.dataDir, 'maps.sqlite');
}
