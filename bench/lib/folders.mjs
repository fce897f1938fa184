import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './cleanup.mjs';

/** A folder that is gone when the figure is over. */
export async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'maps-bench-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
