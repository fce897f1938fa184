import { AppError, errnoOf } from '../common/app-error.js';

const RETRY_AFTER_MS = 2_000;

/** The database does not answer now. The statement may or may not have been carried out. */
export class DatabaseUnavailableError extends AppError {
  constructor(cause?: unknown) {
    super('DATABASE_UNAVAILABLE', 'The database does not answer now. Try again later.', {
      retryAfterMs: RETRY_AFTER_MS,
      cause,
    });
  }
}

/** Faults of the network, as Node names them. */
const NETWORK_CODES =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
/**
 * Codes of PostgreSQL (its manual, appendix A): connection exceptions (08), a server that shuts down, starts or was told
 * to end the connection (57P01 to 57P05), no more connections (53300), a statement that took too long (57014), a
 * transaction in which nothing happened for too long (25P03), and transactions that lost against others (40001, 40P01).
 */
const SERVER_CODES = /^(08...|57P0[1-5]|53300|57014|25P03|40001|40P01)$/;
/** Messages of the driver for faults that it gives no code. */
const DRIVER_WORDS = new Set([
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'timeout expired',
  'Query read timeout',
  'timeout exceeded when trying to connect',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
]);

/** Whether a fault of the driver passes by itself, so that trying again later may help. */
export function isUnavailable(error: unknown): boolean {
  const code = errnoOf(error);
  if (code !== undefined) return NETWORK_CODES.test(code) || SERVER_CODES.test(code);
  // A host name with several addresses fails with one error per address.
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  return error instanceof Error && DRIVER_WORDS.has(error.message);
}

/** Another process has the SQLite file open. */
export class DatabaseInUseError extends Error {
  constructor(path: string) {
    super(
      `${path} is in use by another running server. ` +
        'SQLite serves one server at a time: stop the other one, choose another DATA_DIR, or use PostgreSQL (DATABASE_URL).',
    );
    this.name = 'DatabaseInUseError';
  }
}

/** The database was written by a newer version of this service. */
export class SchemaTooNewError extends Error {
  constructor(unknown: readonly string[]) {
    super(
      `The database has migrations that this version does not know (${unknown.join(', ')}). ` +
        'Run the newer version again, or restore a backup from before the upgrade.',
    );
    this.name = 'SchemaTooNewError';
  }
}

/** The SQLite file is not what SQLite wrote: another file, a part of one, or pages that changed on the disk. */
export class DatabaseDamagedError extends Error {
  constructor(path: string, what: string) {
    super(
      `The database ${path} is damaged (${what}). ` +
        'Stop the server and put the last backup in its place (made by "maps backup"), ' +
        'or salvage what can still be read with "sqlite3 <file> .recover"; docs/operations.md has the steps.',
    );
    this.name = 'DatabaseDamagedError';
  }
}
