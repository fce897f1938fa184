import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runnerUser } from '../../../workspace/runner-user.js';
import { replaceFile } from '../replace-file.js';
import { writeSandboxEtc } from './sandbox-etc.js';
import { seccompFilter } from './seccomp-filter.js';

/** What every workload of this server is given besides its own folders. */
export interface StateFiles {
  readonly etcDir: string;
  readonly filterPath: string;
}

/** Writes them into the runtime's folder, where those of another server may be in use: each is replaced as a whole. */
export async function writeStateFiles(root: string): Promise<StateFiles> {
  const files = { etcDir: join(root, '.etc'), filterPath: join(root, '.seccomp') };
  await writeSandboxEtc(files.etcDir, runnerUser());
  await replaceFile(files.filterPath, (draft) => writeFile(draft, seccompFilter(process.arch) ?? ''));
  return files;
}
