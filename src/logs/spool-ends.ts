import { Injectable } from '@nestjs/common';
import { errnoOf } from '../common/app-error.js';
import { NotRegularFileError, Workspaces } from '../workspace/workspaces.js';
import type { Frame } from './spool-frames.js';
import { FRAME_MAGIC, SpoolDamagedError, parseFrame } from './spool-frames.js';
import { SpoolTails } from './spool-tails.js';

/** The runner's account of how the script ended; see docs/runner-contract.md. Hostile until the engine agrees. */
export interface EndedFrame {
  atMs: number;
  exitCode: number | null;
  signal: number | null;
  timedOut: boolean;
  stopped: boolean;
  diskExceeded: boolean;
  oomKills: number;
  droppedBytes: number;
  wallSeconds: number;
  cpuSeconds: number;
  maxRssBytes: number;
}

/** Larger than any `ended` frame the runner writes. */
const ENDED_BYTES = 4096;
/** Larger than any `started` frame the runner writes. */
const STARTED_BYTES = 4096;

/** The first and the last frame of a spool, read without the log between them. */
@Injectable()
export class SpoolEnds {
  constructor(
    private readonly workspaces: Workspaces,
    private readonly tails: SpoolTails,
  ) {}

  /** When the script started, milliseconds since 1970; undefined while it has not. */
  async startedAtMs(workspaceId: string): Promise<number | undefined> {
    const bytes = await this.readEdge(workspaceId, () => 0, STARTED_BYTES);
    const first = bytes && safeParse(bytes, 0, 0);
    return first?.kind === 'started' ? first.atMs : undefined;
  }

  /** Whether no runner has written to it. Rejects when that cannot be known. */
  async isEmpty(workspaceId: string): Promise<boolean> {
    try {
      const file = await this.workspaces.openSpool(workspaceId);
      if (!file) return true;
      const { size } = await file.stat().finally(() => file.close());
      return size === 0;
    } catch (error) {
      // Something stands in its place that only a script can have put there.
      if (error instanceof NotRegularFileError || errnoOf(error) === 'ELOOP') return false;
      throw error;
    }
  }

  /** Resolves with the time of the `started` frame once it is there; undefined when `signal` aborts before. */
  async waitForStart(workspaceId: string, signal: AbortSignal): Promise<number | undefined> {
    return this.tails.with(workspaceId, async (tail) => {
      await tail.waitBeyond(0, signal);
      return this.startedAtMs(workspaceId);
    });
  }

  /** The `ended` frame, if it is the last thing in the spool. */
  async ended(workspaceId: string): Promise<EndedFrame | undefined> {
    const bytes = await this.readEdge(workspaceId, (size) => Math.max(0, size - ENDED_BYTES), ENDED_BYTES);
    if (!bytes) return undefined;
    // Backwards from one frame's beginning to the one before, until one ends where the file does.
    for (let at = lastMagic(bytes, bytes.length); at >= 0; at = lastMagic(bytes, at)) {
      const frame = safeParse(bytes, at, 0);
      if (frame?.kind === 'ended' && frame.endOffset === bytes.length) return toEnded(frame);
    }
    return undefined;
  }

  /** How long the log is; 0 when there is none. */
  async sizeBytes(workspaceId: string): Promise<number> {
    const file = await this.workspaces.openSpool(workspaceId).catch(() => undefined);
    if (!file) return 0;
    try {
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  }

  private async readEdge(
    workspaceId: string,
    from: (size: number) => number,
    maxBytes: number,
  ): Promise<Buffer | undefined> {
    const file = await this.workspaces.openSpool(workspaceId).catch(() => undefined);
    if (!file) return undefined;
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(maxBytes);
      const { bytesRead } = await file.read(buffer, 0, maxBytes, from(size));
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }
}

/** Where the last frame could begin that begins before `end`; -1 when none could. */
function lastMagic(bytes: Buffer, end: number): number {
  return end === 0 ? -1 : bytes.lastIndexOf(FRAME_MAGIC, end - 1);
}

function safeParse(bytes: Buffer, at: number, offset: number): Frame | undefined {
  try {
    return parseFrame(bytes, at, offset);
  } catch (error) {
    if (error instanceof SpoolDamagedError) return undefined;
    throw error;
  }
}

function toEnded(frame: Frame): EndedFrame | undefined {
  try {
    const raw = JSON.parse(frame.payload.toString('utf8')) as Record<string, unknown>;
    return {
      atMs: frame.atMs,
      exitCode: toInteger(raw.exitCode),
      signal: toInteger(raw.signal),
      timedOut: raw.timedOut === true,
      stopped: raw.stopped === true,
      diskExceeded: raw.diskExceeded === true,
      oomKills: toInteger(raw.oomKills) ?? 0,
      droppedBytes: toInteger(raw.droppedBytes) ?? 0,
      wallSeconds: toNumber(raw.wallSeconds),
      cpuSeconds: toNumber(raw.cpuSeconds),
      maxRssBytes: toInteger(raw.maxRssBytes) ?? 0,
    };
  } catch {
    return undefined;
  }
}

function toInteger(value: unknown): number | null {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;
}

function toNumber(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0;
}
