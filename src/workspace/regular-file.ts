import type { FileHandle } from 'node:fs/promises';
import { constants, open } from 'node:fs/promises';
import { errnoOf } from '../common/app-error.js';

/** Opens `path` if it is a regular file itself, not through a link; O_NONBLOCK so that a FIFO cannot hang the server. */
export async function openRegular(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stat = await file.stat();
  if (stat.isFile()) return file;
  await file.close();
  throw new NotRegularFileError();
}

export class NotRegularFileError extends Error {
  constructor() {
    super('not a regular file');
    this.name = 'NotRegularFileError';
  }
}

/** Of what else than a file can lie there: a link; a socket, or a device that the system does not have. */
const NO_FILE = ['ELOOP', 'ENXIO'];

/** Whether an opening failed because something else is there, which only a script can have put in its place. */
export function isReplaced(error: unknown): boolean {
  return error instanceof NotRegularFileError || NO_FILE.includes(errnoOf(error) ?? '');
}

/** Whether what a script has left for good cannot be opened because of the script: replaced, or closed to everybody. */
export function isSpoiled(error: unknown): boolean {
  return isReplaced(error) || errnoOf(error) === 'EACCES';
}
