import { statfs } from 'node:fs/promises';
import { errnoOf } from '../common/app-error.js';

/** How much room a folder's disk has. Undefined where nothing tells: a folder not made yet, a disk that counts nothing. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { blocks, bavail, bsize } = await statfs(folder);
    return blocks === 0 ? undefined : bavail * bsize;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
