import type { FSWatcher } from 'node:fs';
import { watch } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { SingleFlight } from '../common/async/single-flight.js';
import { isReplaced } from '../workspace/regular-file.js';
import type { WorkspaceSpools } from '../workspace/workspace-spools.js';
import type { SpoolChunk } from './log-chunk.js';
import type { SpoolBatch } from './spool-batch.js';
import { readBatch } from './spool-batch.js';
import { SpoolDamagedError } from '../runner/frames.js';
import { SharedPause } from './shared-pause.js';

/** Output that followers at the tip share without reading the file again. */
const RING_BYTES = 1024 * 1024;
/** Network file systems and Docker Desktop deliver no inotify events: there only the poll finds new output. */
const POLL_MS = 25;
/** Where inotify has been seen to work the poll only guards against a lost event. */
const GUARD_POLL_MS = 500;
/** Followers at the tip are at one position, or at a few. All at one position are given the same object. */
const MAX_SLICES = 8;

/**
 * One spool as all followers on this replica see it. The tail reads only while a follower waits for more. Its last output
 * stays in a bounded ring, from which followers at the tip are served. A follower that has fallen behind the ring reads
 * the file by itself, so a slow follower holds no memory and stalls nobody.
 */
export class SpoolTail {
  private file: FileHandle | undefined;
  private readonly opening = new SingleFlight(() => this.spools.open(this.workspaceId));
  private watcher: FSWatcher | undefined;
  private timer: NodeJS.Timeout | undefined;
  private watchWorks = false;
  private reading: Promise<void> | undefined;
  private readonly tipRead = new SingleFlight(() => this.readBeyondTip());
  private readAgain = false;
  private ring: SpoolBatch[] = [];
  private ringStart = 0;
  private ringBytes = 0;
  private offset = 0;
  private damage: SpoolDamagedError | undefined;
  private readonly waiters = new Set<() => void>();
  /** The slices that were cut from the ring since it last changed, by the offset at which they begin. */
  private readonly slices = new Map<number, SpoolBatch>();
  private readonly pause = new SharedPause(() => this.readTip().catch(() => undefined));
  followers = 0;
  /** When the script started, milliseconds since 1970, by what has been read so far. */
  startedAtMs: number | undefined;

  constructor(
    private readonly spools: WorkspaceSpools,
    private readonly workspaceId: string,
  ) {}

  /** Whole chunks from `offset` on, as many as one batch holds; none when the follower is at the tip. */
  async read(offset: number): Promise<SpoolBatch> {
    try {
      if (offset === this.offset) {
        await this.readTip();
        if (offset === this.offset) return { chunks: [], endOffset: offset, damage: this.damage };
      }
      if (offset >= this.ringStart && offset < this.offset) return this.readRing(offset);
      const file = await this.open();
      return file ? await readBatch(file, offset) : { chunks: [], endOffset: offset };
    } catch (error) {
      return { chunks: [], endOffset: offset, damage: asDamage(error, offset) };
    }
  }

  private readRing(offset: number): SpoolBatch {
    const known = this.slices.get(offset);
    if (known) return known;
    const slice = this.sliceRing(offset);
    if (this.slices.size < MAX_SLICES) this.slices.set(offset, slice);
    return slice;
  }

  private sliceRing(offset: number): SpoolBatch {
    const chunks: SpoolChunk[] = [];
    for (const batch of this.ring) {
      if (batch.endOffset <= offset) continue;
      chunks.push(...batch.chunks.filter((chunk) => chunk.endOffset > offset));
    }
    return { chunks, endOffset: this.offset, damage: this.damage };
  }

  /** Resolves when there is something beyond `offset`, the log turns out to be damaged, or `signal` aborts. */
  waitBeyond(offset: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.offset > offset || this.damage) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.waiters.delete(done);
        signal.removeEventListener('abort', done);
        if (this.waiters.size === 0) this.stopWatching();
        resolve();
      };
      this.waiters.add(done);
      signal.addEventListener('abort', done, { once: true });
      this.startWatching();
      this.pump();
    });
  }

  /**
   * Lets output gather for up to `ms`, or until `signal` aborts. All who wait go on together, just after a read of the
   * tip, so that `read` gives the same object to all who were at one position.
   */
  gather(ms: number, signal: AbortSignal): Promise<void> {
    return this.pause.wait(ms, signal);
  }

  async close(): Promise<void> {
    this.pause.close();
    this.stopWatching();
    for (const wake of [...this.waiters]) wake();
    await this.reading;
    await this.tipRead.current?.catch(() => undefined);
    await this.opening.current?.catch(() => undefined);
    await this.file?.close();
    this.file = undefined;
  }

  private startWatching(): void {
    if (!this.watcher) {
      try {
        this.watcher = watch(this.spools.folder(this.workspaceId), { persistent: false }, () =>
          this.pump(true),
        );
        this.watcher.on('error', () => this.stopWatcher());
      } catch {
        // No folder yet, or no watches left: the poll finds new output.
        this.watcher = undefined;
      }
    }
    this.schedulePoll();
  }

  private schedulePoll(): void {
    this.timer ??= setTimeout(
      () => {
        this.timer = undefined;
        if (this.waiters.size === 0) return;
        this.pump();
        this.startWatching();
      },
      this.watchWorks ? GUARD_POLL_MS : POLL_MS,
    ).unref();
  }

  private stopWatching(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.stopWatcher();
  }

  private stopWatcher(): void {
    this.watcher?.close();
    this.watcher = undefined;
  }

  /** Reads one batch for the waiting followers. Events that arrive during the read lead to one more read, not to many. */
  private pump(byEvent = false): void {
    if (this.reading) {
      this.readAgain = true;
      return;
    }
    this.reading = this.look(byEvent)
      .catch((error: unknown) => this.note(error))
      .finally(() => {
        this.reading = undefined;
        if (this.readAgain && this.waiters.size > 0) {
          this.readAgain = false;
          this.pump(byEvent);
        }
      });
  }

  /** After a passing fault the poll tries again; only a damaged spool stays damaged. */
  private note(error: unknown): void {
    const damage = toDamage(error, this.offset);
    if (damage) this.advance({ chunks: [], endOffset: this.offset, damage });
  }

  private async look(byEvent: boolean): Promise<void> {
    if (this.file && !this.watchWorks && !byEvent) await this.refresh();
    const before = this.offset;
    await this.readTip();
    if (byEvent && this.offset > before) this.watchWorks = true;
  }

  /**
   * Reads what is beyond the tip, once for all who ask at the same time. A read that began before this call may have
   * missed what was written since, so it is followed by another one, unless it found something.
   */
  private async readTip(): Promise<void> {
    const before = this.offset;
    await this.tipRead.current;
    if (this.offset > before || this.damage) return;
    await this.tipRead.run();
  }

  private async readBeyondTip(): Promise<void> {
    const file = await this.open();
    if (file) this.advance(await readBatch(file, this.offset));
  }

  private advance(batch: SpoolBatch): void {
    const grown = batch.endOffset - this.offset;
    this.startedAtMs ??= batch.startedAtMs;
    if (grown > 0) this.remember(batch, grown);
    if (batch.damage) this.damage = batch.damage;
    this.slices.clear();
    if (grown > 0 || batch.damage) for (const wake of [...this.waiters]) wake();
  }

  private remember(batch: SpoolBatch, grown: number): void {
    this.ring.push(batch);
    this.ringBytes += grown;
    this.offset = batch.endOffset;
    while (this.ringBytes > RING_BYTES) {
      const oldest = this.ring.shift();
      if (!oldest) break;
      this.ringBytes -= oldest.endOffset - this.ringStart;
      this.ringStart = oldest.endOffset;
    }
  }

  /** One file for all followers: those that ask while it is being opened wait for the same one. */
  private async open(): Promise<FileHandle | undefined> {
    if (this.file) return this.file;
    this.file = await this.opening.run();
    return this.file;
  }

  /** Makes sure that everything written before the call is seen, also on a network file system. */
  async lookAgain(): Promise<void> {
    if (this.file) await this.refresh();
  }

  /** A network file system may show new data only after somebody opened the file again. */
  private async refresh(): Promise<void> {
    const probe = await this.spools.open(this.workspaceId);
    await probe?.close();
  }
}

/** Undefined for a fault that may pass: too many open files, a network file system that stumbles. */
function toDamage(error: unknown, offset: number): SpoolDamagedError | undefined {
  if (error instanceof SpoolDamagedError) return error;
  return isReplaced(error) ? new SpoolDamagedError(offset, 'it cannot be read') : undefined;
}

function asDamage(error: unknown, offset: number): SpoolDamagedError {
  const damage = toDamage(error, offset);
  if (damage) return damage;
  throw error;
}
