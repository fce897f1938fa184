import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './cleanup.mjs';

/** A folder that is gone when the figure, or whatever else cleans up at its end, is over. */
export async function temporaryFolder(prefix = 'maps-bench-') {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
