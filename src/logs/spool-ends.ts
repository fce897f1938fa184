import type { FileHandle } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { sleep } from '../common/async/abort.js';
import { Bell } from '../common/async/bell.js';
import type { EndedFrame } from '../runner/ended.js';
import { END_FRAME_BYTES, clampTime, findEnded, findStart } from '../runner/ended.js';
import type { FrameKey } from '../runner/signature.js';
import { isSpoiled } from '../workspace/regular-file.js';
import { WorkspaceSpools } from '../workspace/workspace-spools.js';
import { SpoolTails } from './spool-tails.js';

/** What a spool says besides its output. */
export interface SpoolSummary {
  /** When the script started, milliseconds since 1970; undefined while it has not. */
  startedAtMs: number | undefined;
  /** The `ended` frame, if it is the last thing in the spool. */
  ended: EndedFrame | undefined;
  /** Whether no runner has written to it. */
  isEmpty: boolean;
  sizeBytes: number;
}

/** A spool to which nothing is added any more. */
export type EndedSpool = SpoolSummary & { ended: EndedFrame };

/** The summary of a spool that its script replaced by something else, or closed. */
const REPLACED: SpoolSummary = { startedAtMs: undefined, ended: undefined, isEmpty: false, sizeBytes: 0 };

/** The first and the last frame of a spool, read without the log between them. */
@Injectable()
export class SpoolEnds {
  constructor(
    private readonly spools: WorkspaceSpools,
    private readonly tails: SpoolTails,
  ) {}

  /** With a key only frames that verify are told of. Rejects when the spool cannot be read now. */
  async read(workspaceId: string, key?: FrameKey): Promise<SpoolSummary> {
    try {
      const file = await this.spools.open(workspaceId);
      return file ? await summarize(file, key).finally(() => file.close()) : { ...REPLACED, isEmpty: true };
    } catch (error) {
      if (isSpoiled(error)) return REPLACED;
      throw error;
    }
  }

  /**
   * Resolves with the time of the `started` frame once it is there; undefined when something else is, it cannot be read
   * again, or `signal` aborts before. With a key it must verify.
   */
  async waitForStart(workspaceId: string, signal: AbortSignal, key?: FrameKey): Promise<number | undefined> {
    return this.tails.with(workspaceId, async (tail) => {
      await tail.waitBeyond(0, signal);
      if (tail.startedAtMs === undefined) return undefined;
      if (!key) return clampTime(tail.startedAtMs);
      // A file that cannot be read once more has begun all the same.
      return this.read(workspaceId, key).then(
        ({ startedAtMs }) => startedAtMs,
        () => undefined,
      );
    });
  }

  /** Resolves once an `ended` frame that verifies is there; with undefined when `signal` aborts before. */
  async waitForEnd(workspaceId: string, key: FrameKey, signal: AbortSignal): Promise<EndedSpool | undefined> {
    const bell = new Bell();
    const stop = this.spools.onOver(workspaceId, () => bell.ring());
    try {
      while (!signal.aborted) {
        const spool = await this.lookForEnd(workspaceId, key);
        if (spool) return spool;
        await bell.wait(END_POLL_MS, signal);
      }
      return undefined;
    } finally {
      stop();
    }
  }

  /** A log that cannot be read now is looked at again. */
  private async lookForEnd(workspaceId: string, key: FrameKey): Promise<EndedSpool | undefined> {
    try {
      if (!(await this.spools.isSaidToBeOver(workspaceId))) return undefined;
      const { ended, ...spool } = await this.read(workspaceId, key);
      if (ended) return { ...spool, ended };
      await sleep(REPEATED_LOOK_MS);
      return undefined;
    } catch {
      return undefined;
    }
  }
}

/** How late an end is seen on a file system that tells of nothing. */
const END_POLL_MS = 500;
/** Between two looks at a log that only seems to be complete: whoever says so may be the script. */
const REPEATED_LOOK_MS = 50;

/** Most spools are so small that one read has both ends. */
async function summarize(file: FileHandle, key: FrameKey | undefined): Promise<SpoolSummary> {
  const { size } = await file.stat();
  const tail = await readAt(file, Math.max(0, size - END_FRAME_BYTES));
  const head = size <= END_FRAME_BYTES ? tail : await readAt(file, 0);
  const [startedAtMs, ended] = [findStart(head, key), findEnded(tail, key)];
  return { startedAtMs, ended, isEmpty: size === 0, sizeBytes: size };
}

async function readAt(file: FileHandle, offset: number): Promise<Buffer> {
  const buffer = Buffer.alloc(END_FRAME_BYTES);
  const { bytesRead } = await file.read(buffer, 0, END_FRAME_BYTES, offset);
  return buffer.subarray(0, bytesRead);
}
