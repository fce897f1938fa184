import type { FileHandle } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { isReplaced } from '../workspace/regular-file.js';
import { WorkspaceSpools } from '../workspace/workspace-spools.js';
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

/** What can be true; a forged figure beyond it would be one that no database and no date takes. */
const MAX_EXIT_CODE = 255;
const MAX_SIGNAL = 64;
const MAX_SECONDS = 1e9;
const MAX_TIME_MS = 8.64e15;
/** Larger than any `ended` frame the runner writes. */
const ENDED_BYTES = 4096;
/** Larger than any `started` frame the runner writes. */
const STARTED_BYTES = 4096;

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

/** Of a script that put something else in the place of its spool. */
const REPLACED: SpoolSummary = { startedAtMs: undefined, ended: undefined, isEmpty: false, sizeBytes: 0 };

/** The first and the last frame of a spool, read without the log between them. */
@Injectable()
export class SpoolEnds {
  constructor(
    private readonly spools: WorkspaceSpools,
    private readonly tails: SpoolTails,
  ) {}

  /** Rejects when it cannot be known now. */
  async read(workspaceId: string): Promise<SpoolSummary> {
    try {
      const file = await this.spools.open(workspaceId);
      return file ? await summarize(file).finally(() => file.close()) : { ...REPLACED, isEmpty: true };
    } catch (error) {
      if (isReplaced(error)) return REPLACED;
      throw error;
    }
  }

  /** Resolves with the time of the `started` frame once it is there; undefined when `signal` aborts before. */
  async waitForStart(workspaceId: string, signal: AbortSignal): Promise<number | undefined> {
    return this.tails.with(workspaceId, async (tail) => {
      await tail.waitBeyond(0, signal);
      return tail.startedAtMs === undefined ? undefined : clampTime(tail.startedAtMs);
    });
  }
}

/** A spool as small as most are is read at once. */
async function summarize(file: FileHandle): Promise<SpoolSummary> {
  const { size } = await file.stat();
  const end = await readAt(file, Math.max(0, size - ENDED_BYTES), ENDED_BYTES);
  const start = size <= ENDED_BYTES ? end : await readAt(file, 0, STARTED_BYTES);
  const first = safeParse(start, 0, 0);
  const startedAtMs = first?.kind === 'started' ? clampTime(first.atMs) : undefined;
  return { startedAtMs, ended: findEnded(end), isEmpty: size === 0, sizeBytes: size };
}

async function readAt(file: FileHandle, offset: number, maxBytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(maxBytes);
  const { bytesRead } = await file.read(buffer, 0, maxBytes, offset);
  return buffer.subarray(0, bytesRead);
}

/** Backwards from one frame's beginning to the one before, until one ends where the file does. */
function findEnded(bytes: Buffer): EndedFrame | undefined {
  for (let at = lastMagic(bytes, bytes.length); at >= 0; at = lastMagic(bytes, at)) {
    const frame = safeParse(bytes, at, 0);
    if (frame?.kind === 'ended' && frame.endOffset === bytes.length) return toEnded(frame);
  }
  return undefined;
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
      atMs: clampTime(frame.atMs),
      exitCode: toInteger(raw.exitCode, MAX_EXIT_CODE),
      signal: toInteger(raw.signal, MAX_SIGNAL),
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

function toInteger(value: unknown, max = Number.MAX_SAFE_INTEGER): number | null {
  const isFit = Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
  return isFit ? (value as number) : null;
}

function toNumber(value: unknown): number {
  return typeof value === 'number' && value >= 0 && value <= MAX_SECONDS ? value : 0;
}

function clampTime(atMs: number): number {
  return Math.min(Math.max(0, atMs), MAX_TIME_MS) || 0;
}
