import { access, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../../common/app-error.js';

const DISK_FULL = new Set(['ENOSPC', 'EDQUOT']);

/**
 * Replaces a file as a whole by what `write` makes: sandboxes may be reading it. On a full disk the file of the last start
 * stays, since what runs needs a server that comes up.
 */
export async function replaceFile(path: string, write: (draft: string) => Promise<void>): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}-${process.pid}`);
  try {
    await write(draft);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    if (!DISK_FULL.has(errnoOf(error) ?? '') || !(await exists(path))) throw error;
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
