import { expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import * as pooled from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseFileCalls } from './file-calls.js';

const KiB = 1024;

const onLinux = process.platform === 'linux' ? it : it.skip; // nothing counts as local elsewhere, and /proc is not there

onLinux('writes small files at once only where every folder lies on a disk of this machine', async () => {
  const local = await mkdtemp(join(tmpdir(), 'maps-files-'));
  try {
    const chosen = await chooseFileCalls([local]);
    expect(chosen(65 * KiB)).toBe(pooled);
    const small = chosen(64 * KiB);
    expect(small).not.toBe(pooled);
    await small.writeFile(join(local, 'file'), 'text', { mode: 0o600 });
    expect(await readFile(join(local, 'file'), 'utf8')).toBe('text');
    await expect(small.writeFile(join(local, 'none', 'file'), '', { mode: 0o600 })).rejects.toThrow('ENOENT');
    // Of another kind than any that is known to be this machine's: it stands for a share of the network.
    expect((await chooseFileCalls([local, '/proc']))(1)).toBe(pooled);
  } finally {
    await rm(local, { recursive: true });
  }
});
