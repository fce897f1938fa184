import type { OnApplicationShutdown } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { RawBuilder, Transaction } from 'kysely';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { Backoff, abortable } from '../common/async/abort.js';
import { messageOf } from '../common/app-error.js';
import { newId } from '../common/ids.js';
import type { Log } from '../common/log.js';
import type { AppConfig } from '../config/app-config.js';
import type { DatabaseConfig } from '../config/parts/database-config.js';
import type { Db, DialectName } from './dialect.js';
import { databaseNowMs, dialectName, sqlitePath } from './dialect.js';
import { DatabaseUnavailableError } from './database.errors.js';
import { isDiskFull } from './database-faults.js';
import { forgetForeignTransactions } from './postgres/foreign-transactions.js';
import { GuardedSqliteDialect } from './sqlite/guarded-sqlite-dialect.js';
import { migrateToLatest } from './migrate.js';
import { createMigrationPool, createPool } from './postgres/postgres-pool.js';
import { SqliteFile } from './sqlite/sqlite-file.js';
import type { Tables } from './tables.js';

const FIRST_TRY_MS = 250;
const MAX_TRY_MS = 5_000;

/** Whether changes by other replicas are heard of now. */
export interface Listening {
  readonly isLive: boolean;
}

/** The one connection (pool) of this process. */
@Injectable()
export class Database implements OnApplicationShutdown {
  readonly dialect: DialectName;
  /** Set on SQLite. */
  readonly file: SqliteFile | undefined;
  private readonly config: DatabaseConfig;
  private readonly connections: Db;
  private readonly closing = new AbortController();
  private opening: Promise<void> | undefined;
  private listening: Listening = { isLive: false };

  constructor({ database, storage }: Pick<AppConfig, 'database' | 'storage'>) {
    this.config = database;
    this.dialect = dialectName(database);
    this.file = this.dialect === 'sqlite' ? new SqliteFile(sqlitePath(database, storage.dataDir)) : undefined;
    const dialect = this.file
      ? new GuardedSqliteDialect(this.file)
      : new PostgresDialect({ pool: createPool(database) });
    this.connections = new Kysely<Tables>({ dialect });
  }

  /** @throws DatabaseUnavailableError before the database has been opened. */
  get db(): Db {
    if (this.opening) throw new DatabaseUnavailableError();
    return this.connections;
  }

  /**
   * Brings the schema up to date. A PostgreSQL server that does not answer now is waited for in the background: the
   * service lives, is not ready, and says why. A fault that does not pass by itself is thrown.
   */
  async open(log: Log): Promise<void> {
    try {
      await this.migrate();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      this.opening = this.openLater(log);
    }
  }

  /** Resolves when the database has been opened, at once when it is, or when `signal` aborts. */
  async whenOpen(signal: AbortSignal): Promise<void> {
    if (this.opening) await abortable(this.opening, signal).catch(() => undefined);
  }

  private async openLater(log: Log): Promise<void> {
    const backoff = new Backoff(FIRST_TRY_MS, MAX_TRY_MS);
    const { signal } = this.closing;
    while (!signal.aborted) {
      log.warn({}, 'the database does not answer; waiting for it');
      await backoff.wait(signal);
      try {
        if (!signal.aborted) await this.migrate();
        this.opening = undefined;
        return log.info({}, 'the database answers');
      } catch (error) {
        // No caller waits for this error, and an operator may mend its cause: the loop goes on.
        if (!(error instanceof DatabaseUnavailableError))
          log.error({ err: messageOf(error) }, 'the database cannot be used');
      }
    }
  }

  async migrate(): Promise<void> {
    if (!this.isShared) return migrateToLatest(this.connections as unknown as Kysely<never>, this.dialect);
    const own = new Kysely<never>({
      dialect: new PostgresDialect({ pool: createMigrationPool(this.config) }),
    });
    await migrateToLatest(own, this.dialect)
      .then(() => forgetForeignTransactions(own))
      .finally(() => own.destroy());
  }

  /**
   * Makes a write that must get through although the disk is full: the end of a job, or a deletion that makes room. Each
   * time the write meets a full disk, a piece of the reserve is given back, until none is left.
   */
  async essential<T>(write: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        if (!isDiskFull(error) || !this.file?.reserve.giveBack()) throw error;
      }
    }
  }

  /** SQL for the database's own time, milliseconds. */
  now(): ReturnType<typeof databaseNowMs> {
    return databaseNowMs(this.dialect);
  }

  /** A random id of this database, made at the first call and stored in the database itself. */
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

  /** Says `text`, of less than 8000 bytes, to whoever listens on a channel of PostgreSQL. */
  async notify(channel: string, text: string): Promise<void> {
    await sql`select pg_notify(${channel}, ${text})`.execute(this.db);
  }

  /** `column` holds `text`, whatever the case of ASCII letters. */
  textContains(column: string, text: string): RawBuilder<boolean> {
    const position = sql.raw(this.dialect === 'postgres' ? 'strpos' : 'instr');
    // The database lowers both sides: beyond ASCII its lower case differs from JavaScript's.
    return sql<boolean>`${position}(lower(${sql.ref(column)}), lower(${text})) > 0`;
  }

  /** Makes transactions that lock the same text take turns until they end. SQLite has one writer anyway. */
  async lockText(tx: Transaction<Tables>, text: string): Promise<void> {
    if (this.dialect === 'postgres')
      await sql`select pg_advisory_xact_lock(hashtextextended(${text}, 0))`.execute(tx);
  }

  /**
   * How often rows are looked at without an event, milliseconds. Changes of other replicas may raise no event in this
   * process. Where there are no other replicas, this only guards against a lost event.
   */
  get recheckMs(): number {
    if (!this.isShared) return 10_000;
    return this.listening.isLive ? 3_000 : 500;
  }

  /** Sets who hears of other replicas' changes: while it does, rows are looked at less often. */
  hearBy(listening: Listening): void {
    this.listening = listening;
  }

  /** True when other replicas may change rows that this process shows. */
  get isShared(): boolean {
    return this.dialect === 'postgres';
  }

  async onApplicationShutdown(): Promise<void> {
    this.closing.abort();
    await this.connections.destroy();
    // Kysely does not close a file that has seen no query.
    this.file?.close();
  }
}
