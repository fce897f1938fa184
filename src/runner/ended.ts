import type { Frame } from './frames.js';
import { FRAME_MAGIC, SpoolDamagedError, parseFrame } from './frames.js';
import type { FrameKey } from './signature.js';
import { isSignedFrame } from './signature.js';

/** The runner's account of how the script ended; see docs/runner-contract.md. Hostile until it verifies, or the engine agrees. */
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
  /** Whether no process of the script was left: nothing can change its outputs any more. */
  alone: boolean;
  /** Whether the runner could read how many processes the kernel took for want of memory. */
  oomCounted: boolean;
}

/** Larger than any `started` or `ended` frame that a runner writes. */
export const END_FRAME_BYTES = 4096;

/** What can be true; a forged figure beyond it would be one that no database and no date takes. */
const MAX_EXIT_CODE = 255;
const MAX_SIGNAL = 64;
const MAX_SECONDS = 1e9;
const MAX_TIME_MS = 8.64e15;

/**
 * The time of the `started` frame with which the log begins, milliseconds since 1970; undefined without one. With a key only
 * one that verifies is one; so it is for `findEnded`.
 */
export function findStart(head: Buffer, key?: FrameKey): number | undefined {
  const first = safeParse(head, 0);
  return first?.kind === 'started' && isBelieved(first, key) ? clampTime(first.atMs) : undefined;
}

/**
 * The `ended` frame with which the log ends, if one does; `tail` is the log's end. Looks backwards from one frame's
 * beginning to the one before, until a frame ends where the log does.
 */
export function findEnded(tail: Buffer, key?: FrameKey): EndedFrame | undefined {
  for (let at = lastMagic(tail, tail.length); at >= 0; at = lastMagic(tail, at)) {
    const frame = safeParse(tail, at);
    if (frame?.kind === 'ended' && frame.endOffset === tail.length)
      return isBelieved(frame, key) ? toEnded(frame) : undefined;
  }
  return undefined;
}

function isBelieved(frame: Frame, key: FrameKey | undefined): boolean {
  return key === undefined || isSignedFrame(frame, key);
}

/** A time from a log as one that every date can hold. */
export function clampTime(atMs: number): number {
  return Math.min(Math.max(0, atMs), MAX_TIME_MS) || 0;
}

/** Where the last frame could begin that begins before `end`; -1 when none could. */
function lastMagic(bytes: Buffer, end: number): number {
  return end === 0 ? -1 : bytes.lastIndexOf(FRAME_MAGIC, end - 1);
}

function safeParse(bytes: Buffer, at: number): Frame | undefined {
  try {
    return parseFrame(bytes, at, 0);
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
      alone: raw.alone === true,
      oomCounted: raw.oomCounted === true,
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
