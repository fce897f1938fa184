import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes that a folder takes on the disk with all that is in it. What vanishes meanwhile takes none. */
export async function diskBytes(path) {
  const stat = await lstat(path).catch(() => undefined);
  if (!stat) return 0;
  let bytes = stat.blocks * 512;
  if (!stat.isDirectory()) return bytes;
  for (const name of await readdir(path).catch(() => [])) bytes += await diskBytes(join(path, name));
  return bytes;
}
