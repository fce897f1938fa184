import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { errnoOf } from './app-error.js';

/**
 * Returns what `path` holds; puts `text` there first when there is nothing. Of several servers that do this at once all
 * get the same, and none ever sees a part of it: a server that dies over it leaves no empty file for ever.
 */
export async function writeOnce(path: string, text: string): Promise<string> {
  const known = await read(path);
  if (known) return known;
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, text, { flag: 'wx' });
    // An empty one was left by a server that died; a link never takes the place of what is there.
    if (known === '') await rename(draft, path);
    else await link(draft, path);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return (await read(path)) ?? text;
}

/** Undefined when it is not there. */
async function read(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
