import type { DatabaseConnection } from 'kysely';
import { SqliteDialect, SqliteDriver } from 'kysely';
import type { SqliteFile } from './sqlite-file.js';
import { StatementCache } from './statement-cache.js';

/** Kysely's dialect for SQLite. It translates errors where they arise, and its roll-backs hide none of them. */
export class GuardedSqliteDialect extends SqliteDialect {
  constructor(private readonly file: SqliteFile) {
    super({ database: file.connection });
  }

  override createDriver(): SqliteDriver {
    return new GuardedSqliteDriver(this.file);
  }
}

class GuardedSqliteDriver extends SqliteDriver {
  private readonly guarded = new WeakSet<DatabaseConnection>();

  constructor(private readonly file: SqliteFile) {
    super({ database: new StatementCache(file.connection) });
  }

  /** Changes the connection itself, once, instead of wrapping it: the driver knows it by identity. */
  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection();
    if (this.guarded.has(connection)) return connection;
    this.guarded.add(connection);
    const executeQuery = connection.executeQuery.bind(connection);
    connection.executeQuery = async <R>(query: Parameters<typeof executeQuery>[0]) => {
      try {
        return await executeQuery<R>(query);
      } catch (error) {
        throw this.file.toFault(error) ?? error;
      }
    };
    return connection;
  }

  /** On a full disk SQLite rolls back by itself. A second roll-back would fail, and its error would hide the first. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.file.connection.inTransaction) await super.rollbackTransaction(connection);
  }
}
