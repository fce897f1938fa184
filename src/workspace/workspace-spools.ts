import type { FileHandle } from 'node:fs/promises';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { errnoOf } from '../common/app-error.js';
import { KiB } from '../common/bytes.js';
import { openRegular } from './regular-file.js';
import { WorkspaceLayout } from './workspace-layout.js';
import { READY_FILE } from '../runner/files.js';
import { spoolPath } from './workspace-paths.js';

const MAX_READY_BYTES = 64 * KiB;

/** What workloads write for the server while they run. A script can write there too: nothing is opened through a link. */
@Injectable()
export class WorkspaceSpools {
  constructor(private readonly layout: WorkspaceLayout) {}

  folder(id: string): string {
    return this.layout.paths(id).spoolDir;
  }

  /** Opens the log, or undefined while there is none. One that is not a regular file is an error. */
  open(id: string): Promise<FileHandle | undefined> {
    return openIfThere(spoolPath(this.layout.paths(id)));
  }

  /** When a worker last touched what it said, milliseconds since 1970 by whoever keeps the folder; undefined: not seen. */
  async readyTouchedAtMs(id: string): Promise<number | undefined> {
    try {
      return (await lstat(join(this.folder(id), READY_FILE))).mtimeMs;
    } catch {
      return undefined;
    }
  }

  /** What a worker has said when it was ready; undefined while it has not. At most 64 KiB of it. */
  async readReady(id: string): Promise<string | undefined> {
    const file = await openIfThere(join(this.folder(id), READY_FILE));
    if (!file) return undefined;
    try {
      const buffer = Buffer.alloc(MAX_READY_BYTES);
      const { bytesRead } = await file.read(buffer, 0, MAX_READY_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await openRegular(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
