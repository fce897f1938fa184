import { StorageFullError, errnoOf, messageOf } from '../common/app-error.js';
import { DatabaseDamagedError, DatabaseInUseError } from './database.errors.js';

/** The codes of a full file system, a used up quota, and PostgreSQL's `disk_full`. */
const DISK_FULL = new Set(['ENOSPC', 'EDQUOT', '53100']);
/** SQLite's result codes (https://www.sqlite.org/rescode.html). An extended one has its primary code in the low byte. */
const SQLITE = { BUSY: 5, CORRUPT: 11, FULL: 13, NOTADB: 26, IOERR_CORRUPTFS: 8458 };

export function isDiskFull(error: unknown): boolean {
  if (error instanceof StorageFullError || primary(resultCode(error)) === SQLITE.FULL) return true;
  return DISK_FULL.has(errnoOf(error) ?? '');
}

/** What a fault of the SQLite file at `path` means; undefined where it is no fault of the file or its disk. */
export function toSqliteFault(error: unknown, path: string): Error | undefined {
  const code = resultCode(error);
  if (isDamage(code)) return new DatabaseDamagedError(path, messageOf(error));
  if (primary(code) === SQLITE.BUSY) return new DatabaseInUseError(path);
  return toDiskFault(error);
}

export function toDiskFault(error: unknown): Error | undefined {
  if (error instanceof StorageFullError) return error;
  return isDiskFull(error) ? new StorageFullError(error) : undefined;
}

function isDamage(code: number): boolean {
  return [SQLITE.CORRUPT, SQLITE.NOTADB].includes(primary(code)) || code === SQLITE.IOERR_CORRUPTFS;
}

/** SQLite's result code; 0, its code for success, when the error is not from SQLite. */
function resultCode(error: unknown): number {
  const { errcode } = (error ?? {}) as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode : 0;
}

function primary(code: number): number {
  return code & 0xff;
}
