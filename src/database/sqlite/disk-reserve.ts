import { randomFillSync } from 'node:crypto';
import { existsSync, statSync, truncateSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { MiB } from '../../common/bytes.js';
import { SingleFlight } from '../../common/async/single-flight.js';
import { isDiskFull } from '../database-faults.js';

/** The largest of our writes, the end of a job with ten thousand outputs, needs about half of it. */
export const RESERVE_BYTES = 8 * MiB;
/** How much is given back at a time. Small: what a write leaves of it goes to whatever else fills the disk. */
const PIECE_BYTES = MiB;

/**
 * Reserved room on the disk of an SQLite file: a file beside it. It is given back piece by piece to writes that must get
 * through although the disk is full, and filled up again once there is room.
 */
export class DiskReserve {
  private readonly filling = new SingleFlight(() => this.append());

  constructor(readonly path: string) {}

  /** True also when the reserve is used up. */
  get exists(): boolean {
    return existsSync(this.path);
  }

  get bytes(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
  }

  get isWhole(): boolean {
    return this.bytes >= RESERVE_BYTES;
  }

  /** Gives a piece back to the disk at once. False when there is none left. */
  giveBack(): boolean {
    const { bytes } = this;
    if (bytes === 0) return false;
    truncateSync(this.path, Math.max(0, bytes - PIECE_BYTES));
    return true;
  }

  /** Fills the reserve up as far as there is room, by random bytes: a file system may store zeros as nothing. */
  fill(): Promise<void> {
    return this.filling.run();
  }

  private async append(): Promise<void> {
    const file = await open(this.path, 'a', 0o600);
    try {
      const block = Buffer.allocUnsafe(PIECE_BYTES / 4);
      for (let size = this.bytes; size < RESERVE_BYTES; size += block.length)
        await file.appendFile(randomFillSync(block));
      await file.datasync();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    } finally {
      await file.close();
    }
  }
}
