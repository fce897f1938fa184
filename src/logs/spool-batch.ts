import type { FileHandle } from 'node:fs/promises';
import type { SpoolChunk } from './log-chunk.js';
import { toChunk } from './log-chunk.js';
import {
  FRAME_HEADER_BYTES,
  MAX_FRAME_PAYLOAD_BYTES,
  SpoolDamagedError,
  parseFrame,
} from '../runner/frames.js';

/**
 * How much one read gives at most: one full frame and some. Events made of more become large objects, which only a full
 * garbage collection frees; with 256 KiB the server's peak was 16 MB higher and nothing was faster.
 */
const BATCH_BYTES = 96 * 1024;
const MIN_BYTES = FRAME_HEADER_BYTES + MAX_FRAME_PAYLOAD_BYTES;

/** Chunks are copied out of the buffer, so it can serve the next read: a poll that finds nothing costs no memory. */
const SPARE_BUFFERS = 8;
const spareBuffers: Buffer[] = [];

export interface SpoolBatch {
  chunks: SpoolChunk[];
  /** Where the next read begins; the given offset when nothing new was there. */
  endOffset: number;
  /** When the script started, milliseconds since 1970: set when the batch begins with the spool's first frame. */
  startedAtMs?: number;
  /** Set when what follows `endOffset` is not a log; nothing after it can be read. */
  damage?: SpoolDamagedError;
}

/** Reads the whole frames from `offset` on: those within `maxBytes` (at most 96 KiB), at least one. */
export async function readBatch(
  file: FileHandle,
  offset: number,
  maxBytes = BATCH_BYTES,
): Promise<SpoolBatch> {
  const buffer = spareBuffers.pop() ?? Buffer.allocUnsafe(BATCH_BYTES);
  try {
    const { bytesRead } = await file.read(buffer, 0, Math.max(maxBytes, MIN_BYTES), offset);
    if (bytesRead === 0) return { chunks: [], endOffset: offset, damage: await findShrinking(file, offset) };
    return parseBatch(buffer.subarray(0, bytesRead), offset);
  } finally {
    if (spareBuffers.length < SPARE_BUFFERS) spareBuffers.push(buffer);
  }
}

async function findShrinking(file: FileHandle, offset: number): Promise<SpoolDamagedError | undefined> {
  const { size } = await file.stat();
  return size < offset ? new SpoolDamagedError(size, 'it was cut') : undefined;
}

function parseBatch(bytes: Buffer, offset: number): SpoolBatch {
  const batch: SpoolBatch = { chunks: [], endOffset: offset };
  try {
    for (;;) {
      const frame = parseFrame(bytes, batch.endOffset - offset, offset);
      if (!frame) return batch;
      if (frame.kind === 'started' && batch.endOffset === 0) batch.startedAtMs = frame.atMs;
      const chunk = toChunk(frame);
      if (chunk) batch.chunks.push(chunk);
      batch.endOffset = frame.endOffset;
    }
  } catch (error) {
    if (!(error instanceof SpoolDamagedError)) throw error;
    return { ...batch, damage: error };
  }
}
