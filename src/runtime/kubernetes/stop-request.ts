import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../common/app-error.js';
import { STOP_FILE } from '../../runner/files.js';

/**
 * The stop request is a file that the runner looks at several times a second (docs/runner-contract.md): it needs no API
 * server, gives any grace and a shorter one later, and leaves the pod's record where a deletion would take it away. It
 * lies in a folder that the pod can only read, so no script can put a link in its place.
 */
export async function prepareStopRequest(jobDir: string): Promise<void> {
  // There from the beginning: network file systems remember for a while that a file was not there.
  await writeFile(join(jobDir, STOP_FILE), '', { flag: 'wx', mode: 0o644 }).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
  });
}

/** The request that is being written in each folder; the next one waits for it. */
const underWay = new Map<string, Promise<void>>();

/**
 * Asks the runner to stop within `graceSeconds`; never more than was asked for before. A folder that is gone is fine.
 * Requests at the same moment are written one after the other: each looks at what the one before has left.
 */
export async function requestStop(jobDir: string, graceSeconds: number): Promise<void> {
  const before = underWay.get(jobDir) ?? Promise.resolve();
  const request = before.catch(() => undefined).then(() => writeRequest(jobDir, graceSeconds));
  underWay.set(jobDir, request);
  try {
    await request;
  } finally {
    if (underWay.get(jobDir) === request) underWay.delete(jobDir);
  }
}

async function writeRequest(jobDir: string, graceSeconds: number): Promise<void> {
  const path = join(jobDir, STOP_FILE);
  try {
    const requested = Number.parseFloat(await readFile(path, 'utf8'));
    if (requested <= graceSeconds) return;
    await writeFile(path, `${graceSeconds}\n`, { flag: 'r+' });
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
