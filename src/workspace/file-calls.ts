import * as sync from 'node:fs';
import * as pooled from 'node:fs/promises';

/** The calls that make and fill the folders of a workspace. */
export interface FileCalls {
  mkdir(path: string, options: { recursive: true; mode?: number }): Promise<unknown>;
  chown(path: string, uid: number, gid: number): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  writeFile(path: string, content: string | Buffer, options: { flag?: 'wx'; mode: number }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
}

/** What no caller needs to wait for longer than for the way to Node's threads and back. */
const MAX_DIRECT_BYTES = 64 * 1024;

/**
 * File systems whose writes go to this machine's memory first: a small file takes some 20 microseconds there, and many
 * times that through Node's threads. Numbers of statfs(2) on Linux.
 */
const LOCAL = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0x01021994, // tmpfs
  0x794c7630, // overlayfs
]);

const direct: FileCalls = {
  mkdir: (path, options) => attempt(() => sync.mkdirSync(path, options)),
  chown: (path, uid, gid) => attempt(() => sync.chownSync(path, uid, gid)),
  chmod: (path, mode) => attempt(() => sync.chmodSync(path, mode)),
  writeFile: (path, content, options) => attempt(() => sync.writeFileSync(path, content, options)),
  rename: (from, to) => attempt(() => sync.renameSync(from, to)),
};

/** A call that is made at once; what it throws is rejected. */
function attempt<T>(call: () => T): Promise<T> {
  return new Promise((resolve) => resolve(call()));
}

/**
 * How files below these folders, each maybe a disk of its own, are best written: small ones at once when all are disks of
 * this machine, else by Node's threads.
 */
export async function chooseFileCalls(roots: readonly string[]): Promise<(bytes: number) => FileCalls> {
  const types = await Promise.all(roots.map(async (root) => (await pooled.statfs(root)).type));
  const areLocal = process.platform === 'linux' && types.every((type) => LOCAL.has(type));
  return (bytes) => (areLocal && bytes <= MAX_DIRECT_BYTES ? direct : pooled);
}
