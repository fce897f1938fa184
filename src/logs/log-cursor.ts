import { BadInputError } from '../common/app-error.js';

/** A position in a job's log: after everything before byte `offset` of the spool of `attempt`. */
export interface LogPosition {
  attempt: number;
  offset: number;
}

export const LOG_START: LogPosition = { attempt: 1, offset: 0 };

/** Opaque to clients, stable across restarts and replicas: it names a position in a file, not in a process's memory. */
export function encodeCursor(position: LogPosition): string {
  return Buffer.from(`${position.attempt}:${position.offset}`).toString('base64url');
}

/** @throws BadInputError for anything that `encodeCursor` did not make. */
export function decodeCursor(cursor: string): LogPosition {
  const match = /^(\d{1,9}):(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  const position = match && { attempt: Number(match[1]), offset: Number(match[2]) };
  if (!position || position.attempt < 1) throw new BadInputError('This is not a cursor of a log.', 'after');
  return position;
}
