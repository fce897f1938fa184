import type { OnApplicationShutdown } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { RawBuilder, Transaction } from 'kysely';
import { Kysely, sql } from 'kysely';
import { newId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import type { Db, DialectName } from './dialect.js';
import { createDialect, databaseNowMs, dialectName } from './dialect.js';
import { migrateToLatest } from './migrate.js';
import type { Tables } from './tables.js';

/** The one connection (pool) of this process. */
@Injectable()
export class Database implements OnApplicationShutdown {
  readonly dialect: DialectName;
  readonly db: Db;

  constructor(config: AppConfig) {
    this.dialect = dialectName(config);
    this.db = new Kysely<Tables>({ dialect: createDialect(config) });
  }

  async migrate(): Promise<void> {
    await migrateToLatest(this.db as unknown as Kysely<never>, this.dialect);
  }

  /** SQL for the database's own time, milliseconds. */
  now(): ReturnType<typeof databaseNowMs> {
    return databaseNowMs(this.dialect);
  }

  /** A random name of this database, made when it is first asked for and kept in it. */
  async identity(): Promise<string> {
    await this.db
      .insertInto('service_meta')
      .values({ key: 'database_id', value: newId() })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute();
    const row = await this.db
      .selectFrom('service_meta')
      .select('value')
      .where('key', '=', 'database_id')
      .executeTakeFirstOrThrow();
    return row.value;
  }

  /** Rejects when the database does not answer. */
  async ping(): Promise<void> {
    await sql`select 1`.execute(this.db);
  }

  /** `column` holds `text`, whatever the case of ASCII letters. */
  textContains(column: string, text: string): RawBuilder<boolean> {
    const position = sql.raw(this.dialect === 'postgres' ? 'strpos' : 'instr');
    // Both sides by the database: what it and JavaScript call lower case differs beyond ASCII.
    return sql<boolean>`${position}(lower(${sql.ref(column)}), lower(${text})) > 0`;
  }

  /** Makes transactions that lock the same text take turns until they end. SQLite has one writer anyway. */
  async lockText(tx: Transaction<Tables>, text: string): Promise<void> {
    if (this.dialect === 'postgres')
      await sql`select pg_advisory_xact_lock(hashtextextended(${text}, 0))`.execute(tx);
  }

  /**
   * How often rows are looked at although nothing was heard of a change, milliseconds: other replicas' changes raise no
   * event in this process; where there are none this only guards against a lost one.
   */
  get recheckMs(): number {
    return this.isShared ? 500 : 10_000;
  }

  /** True when other replicas may change rows that this process shows. */
  get isShared(): boolean {
    return this.dialect === 'postgres';
  }

  async onApplicationShutdown(): Promise<void> {
    await this.db.destroy();
  }
}
