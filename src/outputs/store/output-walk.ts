import { createHash } from 'node:crypto';
import type { BigIntStats, Dirent } from 'node:fs';
import { chmod, lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import mime from 'mime';
import { errnoOf } from '../../common/app-error.js';
import { MiB } from '../../common/bytes.js';
import { openRegular } from '../../workspace/regular-file.js';
import type { OutputFile, OutputManifest } from './output-store.js';

type FileDigest = Pick<OutputFile, 'size' | 'sha256'>;

const READ_BLOCK_BYTES = 256 * 1024;
/** Skipped entries named one by one; a script can make millions. */
const MAX_SKIPPED = 100;
/** Times that every date format and both databases can hold. */
const MIN_TIME_MS = Date.parse('0001-01-01T00:00:00Z');
const MAX_TIME_MS = Date.parse('9999-12-31T00:00:00Z');

const PATH_TOO_LONG = 'path is too long';
const WHY_UNREADABLE: Partial<Record<string, string>> = {
  EACCES: 'not readable',
  ENAMETOOLONG: PATH_TOO_LONG,
  ENOENT: 'vanished',
};

export interface OutputLimits {
  files: number;
  /** Of all files together, by their apparent size. */
  bytes: number;
  entries: number;
}

/**
 * Lists what a script left in a folder. Only called when the workload is provably dead. Walks with `lstat`, opens without
 * following links, takes regular files only, and names everything it leaves out with the reason. What a script makes
 * cheaply costs little here too: entries and bytes are bounded, those of sparse files and hard links included.
 *
 * Rejects with the reason of `signal` when that aborts first.
 */
export function walkOutputs(
  root: string,
  limits: OutputLimits,
  signal: AbortSignal | undefined,
): Promise<OutputManifest> {
  return new OutputWalk(root, limits, signal).run();
}

/** One walk through one tree, depth first and by name, on a stack of its own: trees can be deeper than the engine's. */
class OutputWalk {
  private readonly manifest: OutputManifest = { files: [], skipped: [] };
  private readonly pending: { prefix: string; name: Buffer }[] = [];
  /** Of files with several names, by device and inode. */
  private readonly digests = new Map<string, FileDigest>();
  private readonly block = Buffer.allocUnsafe(READ_BLOCK_BYTES);
  private entries = 0;
  private bytes = 0;

  constructor(
    private readonly root: string,
    private readonly limits: OutputLimits,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async run(): Promise<OutputManifest> {
    await this.enter('');
    for (let next; (next = this.pending.pop());) {
      this.signal?.throwIfAborted();
      const path = next.prefix + next.name.toString('utf8');
      const fault = nameFault(next.name);
      if (fault) this.skip(path, fault);
      else await this.take(path);
    }
    if (this.entries > this.limits.entries) this.skipFirst('.', `more than ${this.limits.entries} entries`);
    return this.manifest;
  }

  private async enter(prefix: string, isOpened = false): Promise<void> {
    const folder = join(this.root, prefix);
    try {
      const names = await this.namesIn(folder);
      names.sort((a, b) => Buffer.compare(b, a));
      for (const name of names) this.pending.push({ prefix, name });
    } catch (error) {
      this.signal?.throwIfAborted();
      const isClosed = errnoOf(error) === 'EACCES' && !isOpened;
      if (isClosed && (await openFolder(folder))) return this.enter(prefix, true);
      this.skip(prefix || '.', errnoOf(error) === 'ENAMETOOLONG' ? PATH_TOO_LONG : 'folder not readable');
    }
  }

  /** By bytes, since names need not be UTF-8; none beyond the limit of entries. */
  private async namesIn(folder: string): Promise<Buffer[]> {
    const names: Buffer[] = [];
    // The type of `opendir` knows no names in bytes.
    const options = { encoding: 'buffer' as BufferEncoding, bufferSize: 256 };
    const entries = (await opendir(folder, options)) as AsyncIterable<unknown>;
    for await (const { name } of entries as AsyncIterable<Dirent<Buffer>>) {
      this.signal?.throwIfAborted();
      if (++this.entries > this.limits.entries) break;
      names.push(name);
    }
    return names;
  }

  private async take(path: string): Promise<void> {
    const full = join(this.root, path);
    try {
      const stat = await lstat(full, { bigint: true });
      if (stat.isDirectory()) return await this.enter(`${path}/`);
      const fault = stat.isFile() ? this.limitFault(Number(stat.size)) : kindOf(stat);
      if (fault) return this.skip(path, fault);
      const digest = await this.digestOf(full, stat);
      this.bytes += digest.size;
      const modifiedAtMs = Math.min(Math.max(Number(stat.mtimeMs), MIN_TIME_MS), MAX_TIME_MS);
      this.manifest.files.push({ path, ...digest, contentType: contentTypeOf(path), modifiedAtMs });
    } catch (error) {
      this.signal?.throwIfAborted();
      this.skip(path, WHY_UNREADABLE[errnoOf(error) ?? ''] ?? 'could not be read');
    }
  }

  private limitFault(size: number): string | undefined {
    const { files, bytes } = this.limits;
    if (this.manifest.files.length >= files) return `more than ${files} files`;
    const limit = bytes % MiB === 0 ? `${bytes / MiB} MiB` : `${bytes} bytes`;
    return this.bytes + size > bytes ? `the outputs together are larger than ${limit}` : undefined;
  }

  private async digestOf(full: string, { dev, ino, nlink, size }: BigIntStats): Promise<FileDigest> {
    const key = `${dev}:${ino}`;
    const known = this.digests.get(key);
    if (known) return known;
    const digest = await this.read(full, Number(size));
    if (nlink > 1n) this.digests.set(key, digest);
    return digest;
  }

  /** Reads no more than was counted. */
  private async read(full: string, maxBytes: number): Promise<FileDigest> {
    const file = await openRegular(full);
    try {
      const hash = createHash('sha256');
      let size = 0;
      while (size < maxBytes) {
        this.signal?.throwIfAborted();
        const length = Math.min(this.block.length, maxBytes - size);
        const { bytesRead } = await file.read(this.block, 0, length, size);
        if (bytesRead === 0) break;
        hash.update(this.block.subarray(0, bytesRead));
        size += bytesRead;
      }
      return { size, sha256: hash.digest('hex') };
    } finally {
      await file.close();
    }
  }

  private skip(path: string, why: string): void {
    if (this.manifest.skipped.length < MAX_SKIPPED) this.manifest.skipped.push({ path, why });
  }

  /** What concerns the whole tree is said even when there is no room left. */
  private skipFirst(path: string, why: string): void {
    this.manifest.skipped.unshift({ path, why });
    this.manifest.skipped.splice(MAX_SKIPPED);
  }
}

/** A folder closed by the script (mode 000) is the server's own when both have one uid. */
async function openFolder(folder: string): Promise<boolean> {
  return chmod(folder, 0o700).then(
    () => true,
    () => false,
  );
}

function nameFault(name: Buffer): string | undefined {
  if (!Buffer.from(name.toString('utf8'), 'utf8').equals(name)) return 'name is not valid UTF-8';
  // eslint-disable-next-line no-control-regex -- control characters are exactly what is refused here
  return /[\u0000-\u001f\u007f]/.test(name.toString('utf8')) ? 'name has control characters' : undefined;
}

function kindOf(stat: { isSymbolicLink(): boolean; isFIFO(): boolean; isSocket(): boolean }): string {
  if (stat.isSymbolicLink()) return 'symbolic link';
  if (stat.isFIFO()) return 'named pipe';
  return stat.isSocket() ? 'socket' : 'not a regular file';
}

function contentTypeOf(path: string): string {
  if (path.endsWith('.geojson')) return 'application/geo+json';
  return mime.getType(path) ?? 'application/octet-stream';
}
