import { dirname, join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { settledWithin } from '../../common/async/abort.js';
import { StorageFullError } from '../../common/app-error.js';
import { MiB } from '../../common/bytes.js';
import { Clock } from '../../common/clock.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { SingleFlight } from '../../common/async/single-flight.js';
import { StorageConfig } from '../../config/parts/storage-config.js';
import { Database } from '../../database/database.js';
import { RESERVE_BYTES } from '../../database/sqlite/disk-reserve.js';
import type { OutputStore } from '../../outputs/store/output-store.js';
import { OUTPUT_STORE } from '../../outputs/store/output-store.js';
import { freeBytes } from '../../workspace/free-bytes.js';

/** How long a measurement of the disks is used. */
const FRESH_MS = 1_000;
/** A network disk that does not answer must not block callers: after this they get the last measurement. */
const PATIENCE_MS = 500;

/** A disk, as far as it can become full; several may be one. */
interface Disk {
  /** For the log. */
  name: string;
  /** Undefined where free space is not known. */
  freeBytes(): Promise<number | undefined>;
}

/**
 * Whether the disks have room for more jobs. Below MIN_FREE_DISK_MB nothing new is taken, so that what runs can write
 * its log, its outputs and its end.
 */
@Injectable()
export class StorageSpace {
  private readonly floorBytes: number;
  private readonly disks: Disk[];
  private lookedAtMs = -Infinity;
  private readonly looking = new SingleFlight(() => this.look());
  private shortIn: string | undefined;

  constructor(
    private readonly config: StorageConfig,
    private readonly database: Database,
    private readonly clock: Clock,
    @Inject(LOG) private readonly log: Log,
    @Inject(OUTPUT_STORE) outputs: OutputStore,
  ) {
    this.floorBytes = config.MIN_FREE_DISK_MB * MiB;
    // Each may be a disk of its own, or a link to one.
    const folders = [config.dataDir, ...['inputs', 'logs'].map((root) => join(config.workspaceDir, root))];
    this.disks = [
      ...folders.map(diskOf),
      { name: 'outputs', freeBytes: () => outputs.freeBytes() },
      ...(database.file ? [diskOf(dirname(database.file.path))] : []),
    ];
  }

  /** Why no job can be taken now; undefined when there is room. A job in a damaged database might be lost tomorrow. */
  async refusal(): Promise<Error | undefined> {
    return this.database.file?.damage ?? (await this.shortage());
  }

  /** Set while a disk is almost full. Never rejects. */
  async shortage(): Promise<StorageFullError | undefined> {
    // The absolute value, since the clock may have been set back meanwhile.
    if (Math.abs(this.clock.nowMs() - this.lookedAtMs) >= FRESH_MS)
      await settledWithin(this.looking.run(), PATIENCE_MS);
    return this.shortIn === undefined ? undefined : new StorageFullError();
  }

  private look(): Promise<void> {
    return this.measure().catch((error: unknown) =>
      this.log.warn({ err: error }, 'the disks could not be looked at'),
    );
  }

  private async measure(): Promise<void> {
    const free = await Promise.all(this.disks.map((disk) => disk.freeBytes()));
    const shortIn =
      this.disks[free.findIndex((bytes) => bytes !== undefined && bytes < this.floorBytes)]?.name;
    this.tell(shortIn);
    this.shortIn = shortIn;
    this.lookedAtMs = this.clock.nowMs();
    const file = this.database.file;
    const own = free.at(-1);
    if (file && own !== undefined && !file.reserve.isWhole && own >= this.floorBytes + 2 * RESERVE_BYTES)
      await file.reserve.fill();
  }

  private tell(shortIn: string | undefined): void {
    if (shortIn === this.shortIn) return;
    const { MIN_FREE_DISK_MB } = this.config;
    if (shortIn === undefined) this.log.info({}, 'the disks have room again: jobs are taken');
    else
      this.log.warn(
        { place: shortIn, MIN_FREE_DISK_MB },
        'a disk is almost full: no new job is taken until there is room',
      );
  }
}

function diskOf(folder: string): Disk {
  return { name: folder, freeBytes: () => freeBytes(folder) };
}
