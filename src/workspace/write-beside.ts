import { newId } from '../common/ids.js';
import type { FileCalls } from './file-calls.js';

/** Returns the path of a new file in the same folder, to be renamed. */
export async function writeBeside(path: string, text: string, calls: FileCalls): Promise<string> {
  const partial = `${path}.${newId()}`;
  await calls.writeFile(partial, text, { flag: 'wx', mode: 0o644 });
  return partial;
}
