import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { RunnerUser } from '../../../workspace/runner-user.js';

const SEARCH_OWNER = 0o100;
const SEARCH_GROUP = 0o010;
const SEARCH_OTHERS = 0o001;

/** The first folder on the way to `path` that the user may not pass through; undefined when the way is free. */
export async function closedFolder(path: string, { uid, gid }: RunnerUser): Promise<string | undefined> {
  for (let folder = path; ; folder = dirname(folder)) {
    const found = await stat(folder);
    const needed = found.uid === uid ? SEARCH_OWNER : found.gid === gid ? SEARCH_GROUP : SEARCH_OTHERS;
    if (!(found.mode & needed)) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}
