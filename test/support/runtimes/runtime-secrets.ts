import type { Dirent } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What every runtime under test can hand to workloads: by its options, or as the cluster's Secret. */
export const SECRET_VALUES: ReadonlyMap<string, string> = new Map([
  ['API_KEY', 'sk-Zq8vTn3xWb-conformance/é€'],
  ['OTHER_KEY', 'ok-7Hd2LmPp4s-of-the-conformance-suite'],
  ['PEM_KEY', ['-----BEGIN KEY-----', ...lines(200), '-----END KEY-----'].join('\n')],
]);

/** One that no runtime under test has a value for. */
export const MISSING_SECRET = 'MISSING_KEY';

function lines(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${n}`.padStart(64, 'M+/x'));
}

/** Paths of the regular files below `folder` that hold the text; what vanishes meanwhile holds nothing. */
export async function filesWith(folder: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    // The roots of workspaces may be links to volumes.
    if (entry.isDirectory() || (await isLinkToFolder(entry, path)))
      found.push(...(await filesWith(path, text)));
    else if (entry.isFile() && (await readFile(path).catch(() => Buffer.alloc(0))).includes(text))
      found.push(path);
  }
  return found;
}

async function isLinkToFolder(entry: Dirent, path: string): Promise<boolean> {
  return entry.isSymbolicLink() && (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}
