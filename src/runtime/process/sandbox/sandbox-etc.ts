import { constants } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunnerUser } from '../../../workspace/runner-user.js';
import { errnoOf } from '../../../common/app-error.js';
import { replaceFile } from '../replace-file.js';

/** Where programs find libraries, time zones, file types and matplotlib's settings. */
const COPIED = ['ld.so.cache', 'localtime', 'mime.types', 'matplotlibrc'];
/** Mounted over for some sandboxes; the places have to be there. */
const FOLDERS = ['alternatives', 'fonts', 'ssl'];
const EMPTY = ['resolv.conf'];

/** Makes the `/etc` that sandboxes see instead of the host's. Files are replaced as a whole: sandboxes may be reading. */
export async function writeSandboxEtc(folder: string, { uid, gid }: RunnerUser): Promise<void> {
  const own: Record<string, string> = {
    passwd: `root:x:0:0:root:/:/bin/false\nrunner:x:${uid}:${gid}:runner:/tmp:/bin/sh\n`,
    group: `root:x:0:\nrunner:x:${gid}:\n`,
    hosts: '127.0.0.1 localhost\n::1 localhost\n',
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  };
  for (const name of EMPTY) own[name] = '';
  for (const name of ['', ...FOLDERS]) await mkdir(join(folder, name), { recursive: true, mode: 0o755 });
  for (const [name, content] of Object.entries(own)) {
    await replaceFile(join(folder, name), (draft) => writeFile(draft, content, { mode: 0o644 }));
  }
  for (const name of COPIED) await copy(name, folder);
}

async function copy(name: string, folder: string): Promise<void> {
  try {
    await replaceFile(join(folder, name), (draft) =>
      copyFile(`/etc/${name}`, draft, constants.COPYFILE_FICLONE),
    );
  } catch (error) {
    // Not every host has each of them.
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
