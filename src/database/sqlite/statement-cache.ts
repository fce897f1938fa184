import type { SqliteDatabase, SqliteStatement } from 'kysely';
import type { SqliteConnection } from './sqlite-connection.js';

/** So many statements take about a megabyte. */
const MAX_STATEMENTS = 100;
const MAX_TEXT_CHARS = 4_096;
/** All other statements may change the tables, and with them the columns that cached statements give. */
const CACHED = /^\s*(select|with|insert|update|delete|begin|commit|rollback)\b/i;

/** A connection that prepares each of its recent statements once: preparing takes as long as most of them run. */
export class StatementCache implements SqliteDatabase {
  private readonly statements = new Map<string, SqliteStatement>();

  constructor(private readonly connection: SqliteConnection) {}

  prepare(text: string): SqliteStatement {
    const known = this.statements.get(text);
    if (known) {
      // A statement that is used again becomes the last to be forgotten.
      this.statements.delete(text);
      this.statements.set(text, known);
      return known;
    }
    const statement = this.connection.prepare(text);
    if (!CACHED.test(text)) this.statements.clear();
    else if (text.length <= MAX_TEXT_CHARS) this.keep(text, statement);
    return statement;
  }

  close(): void {
    this.statements.clear();
    this.connection.close();
  }

  private keep(text: string, statement: SqliteStatement): void {
    this.statements.set(text, statement);
    const [oldest] = this.statements.size > MAX_STATEMENTS ? this.statements.keys() : [];
    if (oldest !== undefined) this.statements.delete(oldest);
  }
}
