import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunnerUser } from '../../workspace/runner-user.js';

/** Writes the few files of `/etc` that a sandbox has of its own, so that it need not see the host's. */
export async function writeSandboxEtc(folder: string, { uid, gid }: RunnerUser): Promise<void> {
  const files = {
    passwd: `root:x:0:0:root:/:/bin/false\nrunner:x:${uid}:${gid}:runner:/tmp:/bin/sh\n`,
    group: `root:x:0:\nrunner:x:${gid}:\n`,
    hosts: '127.0.0.1 localhost\n::1 localhost\n',
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  };
  await mkdir(folder, { recursive: true, mode: 0o755 });
  for (const [name, content] of Object.entries(files)) {
    const draft = join(folder, `.${name}-${process.pid}`);
    await writeFile(draft, content, { mode: 0o644 });
    await rename(draft, join(folder, name));
  }
}
