import { watch } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { errnoOf } from '../common/app-error.js';
import { KiB } from '../common/bytes.js';
import { isSpoiled, openRegular } from './regular-file.js';
import { WorkspaceLayout } from './workspace-layout.js';
import { KEY_FILE, OVER_FILE, READY_FILE, SCRIPT_FILE } from '../runner/files.js';
import type { WorkloadKey } from '../runner/key.js';
import { toKeyFile } from '../runner/key.js';
import { spoolPath } from './workspace-paths.js';

const MAX_READY_BYTES = 64 * KiB;
const MAX_KEY_BYTES = 4 * KiB;
/** A key that the server took first. Only the runner and the server know its content. */
const WITHDRAWN_KEY_FILE = `${KEY_FILE}.withdrawn`;

/**
 * What became of a workload's key. `lies`: as it was made, or taken by the server, so that no script was let go, or one whose
 * runner signs nothing.
 * `taken`: a script was let go. `notMade`: the workspace was never finished, so nothing can start from it.
 */
export type KeyState = 'lies' | 'taken' | 'notMade';

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
    return readIfThere(join(this.folder(id), READY_FILE), MAX_READY_BYTES);
  }

  /** Whether somebody says that the log is complete: the runner, or a script. */
  async isSaidToBeOver(id: string): Promise<boolean> {
    return isThere(join(this.folder(id), OVER_FILE));
  }

  /** Calls `listener` when that may have come to be so, on file systems that tell. Returns how to stop it. */
  onOver(id: string, listener: () => void): () => void {
    try {
      const watcher = watch(this.folder(id), { persistent: false }, (_, name) => {
        if (name === OVER_FILE) listener();
      });
      const close = (): void => watcher.close();
      watcher.on('error', close);
      return close;
    } catch {
      return () => undefined; // no watches left
    }
  }

  /**
   * Takes the key before the runner does, which then lets no script go. False when the runner, or its script, was first.
   * Rejects when the folder cannot be changed now.
   */
  async withdrawKey(id: string, key: WorkloadKey): Promise<boolean> {
    try {
      // What a script has put in its place stays: it may be something that cannot be moved.
      if ((await this.readKey(id, KEY_FILE)) === toKeyFile(key))
        await rename(join(this.folder(id), KEY_FILE), join(this.folder(id), WITHDRAWN_KEY_FILE));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    return (await this.readKey(id, WITHDRAWN_KEY_FILE)) === toKeyFile(key);
  }

  /** Rejects when that cannot be told now. */
  async keyState(id: string, key: WorkloadKey): Promise<KeyState> {
    for (const file of [KEY_FILE, WITHDRAWN_KEY_FILE])
      if ((await this.readKey(id, file)) === toKeyFile(key)) return 'lies';
    // The script is written after the key.
    return (await isThere(join(this.layout.paths(id).jobDir, SCRIPT_FILE))) ? 'taken' : 'notMade';
  }

  /** Undefined where there is none, or something that no server has put there. */
  private async readKey(id: string, file: string): Promise<string | undefined> {
    try {
      return await readIfThere(join(this.folder(id), file), MAX_KEY_BYTES);
    } catch (error) {
      if (isSpoiled(error)) return undefined;
      throw error;
    }
  }
}

async function readIfThere(path: string, maxBytes: number): Promise<string | undefined> {
  const file = await openIfThere(path);
  if (!file) return undefined;
  try {
    const buffer = Buffer.alloc(maxBytes);
    const { bytesRead } = await file.read(buffer, 0, maxBytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
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
