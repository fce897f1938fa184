import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { settledWithin } from '../../common/abort.js';
import { StorageFullError, errnoOf } from '../../common/app-error.js';
import { MiB } from '../../common/bytes.js';
import { Clock } from '../../common/clock.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { StorageConfig } from '../../config/storage-config.js';
import { Database } from '../../database/database.js';
import { RESERVE_BYTES } from '../../database/disk-reserve.js';
import { WORKSPACE_ROOTS } from '../../workspace/workspace-paths.js';

/** How long a look at the disks is good for. */
const FRESH_MS = 1_000;
/** A network disk that does not answer must not hold those who ask: they go by the last look. */
const PATIENCE_MS = 500;

/**
 * Whether the disks have room for more jobs. Below MIN_FREE_DISK_MB nothing new is taken, so that what runs can write
 * its log, its outputs and its end.
 */
@Injectable()
export class StorageSpace {
  private readonly floorBytes: number;
  private readonly folders: string[];
  private lookedAtMs = -Infinity;
  private looking: Promise<void> | undefined;
  private shortIn: string | undefined;

  constructor(
    private readonly config: StorageConfig,
    private readonly database: Database,
    private readonly clock: Clock,
    @Inject(LOG) private readonly log: Log,
  ) {
    this.floorBytes = config.MIN_FREE_DISK_MB * MiB;
    // Each may be a disk of its own, or a link to one.
    const roots = WORKSPACE_ROOTS.map((root) => join(config.workspaceDir, root));
    this.folders = [config.dataDir, ...roots, ...(database.file ? [dirname(database.file.path)] : [])];
  }

  /** Why no job can be taken now; undefined when there is room. On a damaged database it might not be there tomorrow. */
  async refusal(): Promise<Error | undefined> {
    return this.database.file?.damage ?? (await this.shortage());
  }

  /** Set while a disk is almost full. Never rejects. */
  async shortage(): Promise<StorageFullError | undefined> {
    // Also when the clock was set back meanwhile.
    if (Math.abs(this.clock.nowMs() - this.lookedAtMs) >= FRESH_MS)
      await settledWithin(this.look(), PATIENCE_MS);
    return this.shortIn === undefined ? undefined : new StorageFullError();
  }

  private look(): Promise<void> {
    this.looking ??= this.measure()
      .catch((error: unknown) => this.log.warn({ err: error }, 'the disks could not be looked at'))
      .finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async measure(): Promise<void> {
    const stats = await Promise.all(this.folders.map(statOf));
    const at = stats.findIndex((stat) => stat !== undefined && freeBytes(stat) < this.floorBytes);
    this.tell(this.folders[at]);
    this.shortIn = this.folders[at];
    this.lookedAtMs = this.clock.nowMs();
    const file = this.database.file;
    const own = stats.at(-1);
    if (file && own && !file.reserve.isWhole && freeBytes(own) >= this.floorBytes + 2 * RESERVE_BYTES)
      await file.reserve.fill();
  }

  private tell(shortIn: string | undefined): void {
    if (shortIn === this.shortIn) return;
    const { MIN_FREE_DISK_MB } = this.config;
    if (shortIn === undefined) this.log.info({}, 'the disks have room again: jobs are taken');
    else
      this.log.warn(
        { folder: shortIn, MIN_FREE_DISK_MB },
        'a disk is almost full: no new job is taken until there is room',
      );
  }
}

/** Undefined where there is nothing to judge: a folder not made yet, a file system that counts nothing. */
async function statOf(folder: string): Promise<StatsFs | undefined> {
  try {
    const stat = await statfs(folder);
    return stat.blocks === 0 ? undefined : stat;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function freeBytes({ bavail, bsize }: StatsFs): number {
  return bavail * bsize;
}
