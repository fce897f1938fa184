import { randomUUID } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { chmod, lstat, opendir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../common/app-error.js';

/** What `rm` gives up on: folders that the script closed (mode 000), and paths longer than the system takes. */
const HOSTILE = new Set(['EACCES', 'EPERM', 'ENOTEMPTY', 'ENAMETOOLONG']);

/** Removes a tree that a script made, whatever its depth and modes. Follows no link. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!HOSTILE.has(errnoOf(error) ?? '') || !(await lstat(path)).isDirectory()) throw error;
    await removeHostile(path);
  }
}

/**
 * Opens every folder and moves it up beneath `root` before it goes on there: paths never grow, and what is left to do
 * is kept on the disk instead of in memory or on the stack.
 */
async function removeHostile(root: string): Promise<void> {
  // Names that no script could take in advance.
  const prefix = randomUUID();
  let moved = 0;
  const nextName = (): Buffer => Buffer.from(join(root, `${prefix}-${moved++}`));
  await openFolder(root);
  for (let isEmpty = false; !isEmpty;) {
    isEmpty = true;
    for await (const { path, isFolder } of entriesOf(Buffer.from(root))) {
      isEmpty = false;
      if (!isFolder) await unlink(path);
      else for (let next: Buffer | undefined = path; next;) next = await removeFolder(next, nextName);
    }
  }
  await rmdir(root);
}

/** Removes one folder, its own folders moved away; returns one of those, to be the next. */
async function removeFolder(folder: Buffer, nextName: () => Buffer): Promise<Buffer | undefined> {
  let last: Buffer | undefined;
  await openFolder(folder);
  for await (const { path, isFolder } of entriesOf(folder)) {
    if (!isFolder) await unlink(path);
    else {
      // Moving a folder writes its own "..".
      await openFolder(path);
      await rename(path, (last = nextName()));
    }
  }
  await rmdir(folder).catch((error: unknown) => {
    // Some file systems pass over entries while others are removed; the folder is met again.
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
  });
  return last;
}

/** By bytes: a name need not be UTF-8. */
async function* entriesOf(folder: Buffer): AsyncGenerator<{ path: Buffer; isFolder: boolean }> {
  // The type of `opendir` knows no names in bytes.
  const entries = (await opendir(folder, { encoding: 'buffer' as BufferEncoding })) as AsyncIterable<unknown>;
  for await (const entry of entries as AsyncIterable<Dirent<Buffer>>)
    yield { path: Buffer.concat([folder, Buffer.from('/'), entry.name]), isFolder: entry.isDirectory() };
}

/** Only the owner can; where that is somebody else, what follows says why it fails. */
async function openFolder(folder: string | Buffer): Promise<void> {
  await chmod(folder, 0o700).catch(() => undefined);
}
