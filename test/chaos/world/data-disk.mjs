import { execFile } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { atEnd } from '../../../tools/cleanup.mjs';

const execute = promisify(execFile);
const SIZE_BYTES = 192 * 1024 * 1024;
const BLOCK = Buffer.alloc(64 * 1024, 1);

/**
 * A small disk of its own for the servers' data, which can be full. Undefined where none can be mounted, as by users
 * other than root: the fault is then left out.
 */
export async function mountDataDisk(folder) {
  try {
    await execute('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_BYTES},mode=755`, 'maps-chaos', folder]);
  } catch {
    return undefined;
  }
  atEnd(() => unmount(folder));
  const ballast = join(folder, '.ballast');
  return { fill: () => fill(ballast), release: () => rm(ballast, { force: true }) };
}

/** Lazily: something that just ended may still have a file open. */
async function unmount(folder) {
  await execute('umount', ['--lazy', folder]);
}

/** Writes until nothing more goes in. */
async function fill(path) {
  const file = await open(path, 'a');
  try {
    for (;;) await file.write(BLOCK);
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error;
  } finally {
    await file.close();
  }
}
