import { StorageFullError, errnoOf, messageOf } from '../common/app-error.js';
import { DatabaseDamagedError, DatabaseInUseError } from './database.errors.js';

/** SQLite's own code, the system's, that of a quota, and PostgreSQL's `disk_full`. */
const DISK_FULL = new Set(['SQLITE_FULL', 'ENOSPC', 'EDQUOT', '53100']);
/** With the extended codes, such as SQLITE_CORRUPT_INDEX. */
const DAMAGED = /^SQLITE_(CORRUPT|NOTADB|IOERR_CORRUPTFS)/;

export function isDiskFull(error: unknown): boolean {
  return error instanceof StorageFullError || DISK_FULL.has(errnoOf(error) ?? '');
}

/** What a fault of the SQLite file at `path` means; undefined where it is no fault of the file or its disk. */
export function toSqliteFault(error: unknown, path: string): Error | undefined {
  const code = errnoOf(error) ?? '';
  if (DAMAGED.test(code)) return new DatabaseDamagedError(path, messageOf(error));
  if (code.startsWith('SQLITE_BUSY')) return new DatabaseInUseError(path);
  return toDiskFault(error);
}

export function toDiskFault(error: unknown): Error | undefined {
  if (error instanceof StorageFullError) return error;
  return isDiskFull(error) ? new StorageFullError(error) : undefined;
}
