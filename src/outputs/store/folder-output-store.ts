import type { FileHandle } from 'node:fs/promises';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { errnoOf } from '../../common/app-error.js';
import { LimitsConfig } from '../../config/parts/limits-config.js';
import { freeBytes } from '../../workspace/free-bytes.js';
import { NotRegularFileError, isReplaced, openRegular } from '../../workspace/regular-file.js';
import { removeTree } from '../../workspace/remove-tree.js';
import { workspaceIdsIn } from '../../workspace/workspace-ids.js';
import { WorkspaceLayout } from '../../workspace/workspace-layout.js';
import type { KeptOutputs, OutputRange, OutputStore } from './output-store.js';
import { OutputGoneError } from './output-store.js';
import type { OutputLimits } from './output-walk.js';
import { walkOutputs } from './output-walk.js';

/** Entries of folders that are looked at: what bounds time and memory when a script made millions. */
const MAX_ENTRIES = 100_000;

/** Parts of a path that lead elsewhere than to something of their name. */
const NO_NAMES = ['', '.', '..'];

/** Outputs stay in the folder that their script wrote them to. */
@Injectable()
export class FolderOutputStore implements OutputStore {
  private readonly limits: OutputLimits;

  constructor(
    private readonly layout: WorkspaceLayout,
    config: LimitsConfig,
  ) {
    this.limits = { files: config.MAX_OUTPUT_FILES, bytes: config.MAX_OUTPUT_BYTES, entries: MAX_ENTRIES };
  }

  async keep(workspace: string, signal?: AbortSignal): Promise<KeptOutputs> {
    const manifest = await walkOutputs(this.folderOf(workspace), this.limits, signal);
    return { ...manifest, usedBytes: manifest.files.reduce((sum, { size }) => sum + size, 0) };
  }

  async open(workspace: string, path: string, range?: OutputRange): Promise<Readable> {
    try {
      return (await openBeneath(this.folderOf(workspace), path)).createReadStream(range);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || isReplaced(error)) throw new OutputGoneError();
      throw error;
    }
  }

  list(): AsyncIterable<string[]> {
    return workspaceIdsIn(this.layout.root('outputs'));
  }

  async remove(workspace: string): Promise<void> {
    await removeTree(this.folderOf(workspace));
  }

  freeBytes(): Promise<number | undefined> {
    return freeBytes(this.layout.root('outputs'));
  }

  private folderOf(workspace: string): string {
    return this.layout.paths(workspace).outputDir;
  }
}

/**
 * Opens `path` beneath `root` when every folder on the way is a real one. The workload is dead when this is called, so
 * nobody can swap a folder for a link in between.
 */
async function openBeneath(root: string, path: string): Promise<FileHandle> {
  const parts = path.split('/');
  if (path.includes('\0') || parts.some((part) => NO_NAMES.includes(part))) throw new NotRegularFileError();
  let folder = root;
  for (const part of parts.slice(0, -1)) {
    folder = join(folder, part);
    if (!(await lstat(folder)).isDirectory()) throw new NotRegularFileError();
  }
  return openRegular(join(folder, parts.at(-1) ?? ''));
}
