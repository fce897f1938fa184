import { lstat, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from './usage-error.js';

/** The names in an output's path. Whatever the service says is checked again: it is the script that chose the names. */
export function toSafeNames(path: string): string[] {
  const names = path.split('/');
  const isSafe = names.every(
    (name) => name !== '' && name !== '.' && name !== '..' && !name.includes('\0') && !isForeign(name),
  );
  if (!isSafe)
    throw new UsageError(`The output ${JSON.stringify(path)} has a name that is not safe to write.`);
  return names;
}

/** On Windows these separate folders, drives and streams. */
function isForeign(name: string): boolean {
  return process.platform === 'win32' && /[\\:]/.test(name);
}

/** Makes the folders of `names` beneath `root`, one by one, so that none of them is entered through a link. */
export async function makeFolders(root: string, names: readonly string[]): Promise<string> {
  await mkdir(root, { recursive: true });
  let folder = await realpath(root);
  for (const name of names) {
    folder = join(folder, name);
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    if (!(await lstat(folder)).isDirectory())
      throw new UsageError(`${folder} is in the way: it is a link or a file where a folder is needed.`);
  }
  return folder;
}
