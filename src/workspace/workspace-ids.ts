import { opendir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { errnoOf } from '../common/app-error.js';

/** Tells workspaces from what else may lie beside them: a mark of ours, the `lost+found` of a volume. */
const WORKSPACE_ID = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
/** As many ids as one statement of a database takes. */
const BATCH = 500;

/** The ids of the workspaces that have something in a root, some at a time; none where there is no root. */
export async function* workspaceIdsIn(root: string): AsyncGenerator<string[], void, undefined> {
  let batch: string[] = [];
  for await (const { name } of await openFolder(root)) {
    if (WORKSPACE_ID.test(name)) batch.push(name);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Read bit by bit: there may be a million. */
async function openFolder(folder: string): Promise<AsyncIterable<{ name: string }>> {
  try {
    return await opendir(folder, { bufferSize: BATCH });
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return Readable.from([]);
  }
}
