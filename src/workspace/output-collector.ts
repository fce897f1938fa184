import { createHash } from 'node:crypto';
import { lstat, chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import mime from 'mime';
import { errnoOf } from '../common/app-error.js';
import { AppConfig } from '../config/app-config.js';
import { Workspaces, openRegular } from './workspaces.js';

export interface OutputFileEntry {
  path: string;
  /** Bytes. */
  size: number;
  /** Lower-case hex. */
  sha256: string;
  contentType: string;
  modifiedAtMs: number;
}

export interface SkippedOutput {
  path: string;
  why: string;
}

export interface OutputManifest {
  files: OutputFileEntry[];
  skipped: SkippedOutput[];
}

const READ_BLOCK_BYTES = 256 * 1024;
/** Skipped entries named one by one; a script can make millions. */
const MAX_SKIPPED = 100;

/**
 * Lists what a job left in `/output`. Only called when the workload is provably dead. Walks with `lstat`, opens without
 * following links, takes regular files only, and names everything it leaves out with the reason.
 */
@Injectable()
export class OutputCollector {
  private readonly maxFiles: number;

  constructor(
    private readonly workspaces: Workspaces,
    config: AppConfig,
  ) {
    this.maxFiles = config.MAX_OUTPUT_FILES;
  }

  async collect(workspaceId: string): Promise<OutputManifest> {
    const manifest: OutputManifest = { files: [], skipped: [] };
    await this.walk(this.workspaces.paths(workspaceId).outputDir, '', manifest);
    return manifest;
  }

  private async walk(root: string, prefix: string, manifest: OutputManifest): Promise<void> {
    for (const name of await this.readNames(root, prefix, manifest)) {
      const path = prefix + name.toString('utf8');
      const fault = nameFault(name);
      if (fault) skip(manifest, path, fault);
      else await this.take(root, path, manifest);
    }
  }

  private async take(root: string, path: string, manifest: OutputManifest): Promise<void> {
    const full = join(root, path);
    const stat = await lstat(full).catch(() => undefined);
    if (!stat) return skip(manifest, path, 'vanished');
    if (stat.isDirectory()) return this.walk(root, `${path}/`, manifest);
    if (!stat.isFile()) return skip(manifest, path, kindOf(stat));
    if (manifest.files.length >= this.maxFiles)
      return skip(manifest, path, `more than ${this.maxFiles} files`);
    try {
      manifest.files.push(await describeFile(full, path));
    } catch (error) {
      skip(manifest, path, errnoOf(error) === 'EACCES' ? 'not readable' : 'could not be read');
    }
  }

  private async readNames(root: string, prefix: string, manifest: OutputManifest): Promise<Buffer[]> {
    const folder = join(root, prefix);
    try {
      return (await readdir(folder, { encoding: 'buffer' })).sort((a, b) => Buffer.compare(a, b));
    } catch (error) {
      if (errnoOf(error) === 'EACCES' && (await openFolder(folder)))
        return this.readNames(root, prefix, manifest);
      skip(manifest, prefix || '.', 'folder not readable');
      return [];
    }
  }
}

/** A folder closed by the script (mode 000) is the server's own when both have one uid. */
async function openFolder(folder: string): Promise<boolean> {
  return chmod(folder, 0o700).then(
    () => true,
    () => false,
  );
}

function skip(manifest: OutputManifest, path: string, why: string): void {
  if (manifest.skipped.length < MAX_SKIPPED) manifest.skipped.push({ path, why });
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

async function describeFile(full: string, path: string): Promise<OutputFileEntry> {
  const file = await openRegular(full);
  try {
    const { mtimeMs } = await file.stat();
    const hash = createHash('sha256');
    const block = Buffer.allocUnsafe(READ_BLOCK_BYTES);
    let size = 0;
    for (;;) {
      const { bytesRead } = await file.read(block, 0, block.length, size);
      if (bytesRead === 0) break;
      hash.update(block.subarray(0, bytesRead));
      size += bytesRead;
    }
    return {
      path,
      size,
      sha256: hash.digest('hex'),
      contentType: contentTypeOf(path),
      modifiedAtMs: Math.round(mtimeMs),
    };
  } finally {
    await file.close();
  }
}

function contentTypeOf(path: string): string {
  if (path.endsWith('.geojson')) return 'application/geo+json';
  return mime.getType(path) ?? 'application/octet-stream';
}
