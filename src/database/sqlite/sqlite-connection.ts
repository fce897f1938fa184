import type { DatabaseSyncInstance, StatementSyncInstance } from '@photostructure/sqlite';
import { DatabaseSync } from '@photostructure/sqlite';
import type { SqliteDatabase, SqliteStatement } from 'kysely';

/** How long a lock of another process is waited for before the file counts as in use. */
const BUSY_TIMEOUT_MS = 1_000;

/**
 * One open SQLite file, as Kysely wants to see it. The driver speaks the interface of Node's own `node:sqlite` and comes
 * ready-made for every platform (docs/adr/0012-a-driver-without-a-compiler.md).
 *
 * Every member throws the driver's error with SQLite's result code in `errcode` (database-faults.ts reads it).
 */
export class SqliteConnection implements SqliteDatabase {
  private readonly driver: DatabaseSyncInstance;
  private isFree = false;

  constructor(
    path: string,
    private readonly readOnly = false,
  ) {
    this.driver = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, readOnly });
  }

  get isOpen(): boolean {
    return this.driver.isOpen;
  }

  get inTransaction(): boolean {
    return this.driver.isTransaction;
  }

  /** Whether closing has released the lock on the file. A lock that could not be released lasts until the process ends. */
  get isReleased(): boolean {
    return this.isFree;
  }

  /** Runs statements to their ends and drops their rows. Leaves no prepared statement behind. */
  exec(text: string): void {
    this.driver.exec(text);
  }

  /** The first column of a pragma's first row; undefined without a row. The pragma is not run beyond that row. */
  pragma(text: string): unknown {
    const row = this.driver.prepare(`pragma ${text}`).get() as Record<string, unknown> | undefined;
    return row && Object.values(row)[0];
  }

  prepare(text: string): SqliteStatement {
    return new PreparedStatement(this.driver.prepare(text));
  }

  /** Leaves one whole unlocked file without a log beside it, where that can be done. Safe to call twice. */
  close(): void {
    if (!this.driver.isOpen) return;
    try {
      if (!this.readOnly) this.unlock();
      this.isFree = true;
    } catch {
      // On a full disk, say. Then it is as after a kill: the lock dies with the process, and the next one takes the log in.
    }
    this.driver.close();
  }

  /** Closes a file whose opening failed half-way, and leaves it as it is. */
  abandon(): void {
    this.driver.close();
  }

  /**
   * Brings the log into the file and lets go of the lock. Closing alone does neither as long as a statement is left, and
   * the driver leaves statements to the garbage collector.
   */
  private unlock(): void {
    this.pragma('journal_mode = DELETE');
    this.pragma('locking_mode = NORMAL');
    // SQLite releases the lock at the next read.
    this.driver.prepare('select count(*) from sqlite_schema').get();
  }
}

class PreparedStatement implements SqliteStatement {
  /** Whether the statement gives rows. */
  readonly reader: boolean;

  constructor(private readonly statement: StatementSyncInstance) {
    this.reader = statement.columns().length > 0;
  }

  all(values: readonly unknown[]): unknown[] {
    try {
      return this.statement.all(...values);
    } catch (error) {
      throw withResultCode(error);
    }
  }

  run(values: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint } {
    return this.statement.run(...values);
  }

  *iterate(values: readonly unknown[]): IterableIterator<unknown> {
    try {
      yield* this.statement.iterate(...values);
    } catch (error) {
      throw withResultCode(error);
    }
  }
}

/** What sqlite3_errstr() says for the codes that the service tells apart (https://www.sqlite.org/rescode.html). */
const RESULT_CODES = new Map([
  ['database is locked', 5],
  ['database disk image is malformed', 11],
  ['database or disk is full', 13],
  ['file is not a database', 26],
]);

/** When a statement that gives rows fails, version 1.2 of the driver passes on SQLite's message without its code. */
function withResultCode(error: unknown): unknown {
  const { message, errcode } = error as { message: string; errcode?: number };
  return errcode === undefined
    ? Object.assign(error as object, { errcode: RESULT_CODES.get(message) })
    : error;
}
