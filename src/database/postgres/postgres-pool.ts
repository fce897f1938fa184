import pg from 'pg';
import type { DatabaseConfig } from '../../config/parts/database-config.js';
import { toDiskFault } from '../database-faults.js';
import { DatabaseUnavailableError, isUnavailable } from '../database.errors.js';

/** How long connecting may take, and how long a query waits for a connection when all are busy. */
const CONNECT_MS = 5_000;
/** The server ends a statement that takes longer. */
const STATEMENT_MS = 9_000;
/**
 * A connection that has not answered by then is taken for dead: the server would have ended the statement before. TCP by
 * itself notices a peer that vanished without a word only after a quarter of an hour.
 */
const ANSWER_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;

export interface Patience {
  connectMs: number;
  statementMs: number;
  answerMs: number;
}

const DEFAULT_PATIENCE: Patience = {
  connectMs: CONNECT_MS,
  statementMs: STATEMENT_MS,
  answerMs: ANSWER_MS,
};
/** A migration of a large table has no bound. */
const FOR_MIGRATIONS: Patience = { connectMs: CONNECT_MS, statementMs: 0, answerMs: 0 };

/** The pool that serves requests: every wait is bounded, and a transient fault is a `DatabaseUnavailableError`. */
export function createPool(config: DatabaseConfig, patience = DEFAULT_PATIENCE): pg.Pool {
  const pool = new TranslatingPool({
    ...connectionOptions(config),
    Client: impatientClient(patience.answerMs),
    max: config.DATABASE_POOL_SIZE,
    connectionTimeoutMillis: patience.connectMs,
    statement_timeout: patience.statementMs,
    // A server of ours that vanishes in the middle of a transaction must not keep its rows locked.
    idle_in_transaction_session_timeout: patience.answerMs,
  });
  // The pool replaces a connection that breaks, and its query fails by itself. Without these two listeners the process
  // would end: one is for idle connections, the other for those that are taken and between two statements.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** A pool for the migrations alone. */
export function createMigrationPool(config: DatabaseConfig): pg.Pool {
  return createPool(config, FOR_MIGRATIONS);
}

/** A connection outside the pool, for listening. Its errors are the driver's own. */
export function createClient(config: DatabaseConfig): pg.Client {
  return new pg.Client({
    ...connectionOptions(config),
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: CONNECT_MS,
  });
}

function connectionOptions(config: DatabaseConfig): pg.ClientConfig {
  return {
    connectionString: config.DATABASE_URL,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // Times, sizes and counts are bigint, and ours stay below 2^53.
    types: { getTypeParser: typeParser },
  };
}

class TranslatingPool extends pg.Pool {
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Parameters<pg.Pool['connect']>[0]): void;
  override connect(callback?: Parameters<pg.Pool['connect']>[0]): Promise<pg.PoolClient> | void {
    if (callback) return super.connect(callback);
    return super.connect().catch(translate);
  }
}

/** Breaks a connection off without telling the server, which may have vanished. */
export function hangUp(client: pg.Client): void {
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } };
  connection.stream.destroy();
}

/** A client that hangs up on a server which does not answer: its queries fail, and the pool drops the connection. */
function impatientClient(answerMs: number): typeof pg.Client {
  class ImpatientClient extends pg.Client {
    // The driver's `query` has a dozen forms; ours comes through Kysely, which awaits a promise.
    override query(...parameters: never[]): never {
      const answer = (super.query as (...all: never[]) => unknown).apply(this, parameters);
      if (!isPromise(answer)) return answer as never;
      const timer = answerMs === 0 ? undefined : setTimeout(() => hangUp(this), answerMs);
      return answer.catch(translate).finally(() => clearTimeout(timer)) as never;
    }
  }
  return ImpatientClient;
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as Promise<unknown> | undefined)?.then === 'function';
}

function translate(error: unknown): never {
  throw isUnavailable(error) ? new DatabaseUnavailableError(error) : (toDiskFault(error) ?? error);
}

const INT8_OID = 20;

function typeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  if (oid === INT8_OID) return Number;
  return pg.types.getTypeParser(oid, format) as (text: string) => unknown;
}
