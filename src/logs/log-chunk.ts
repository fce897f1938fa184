import type { Frame } from '../runner/frames.js';

/** A piece of output of one stream, as the spool holds it. */
export interface SpoolChunk {
  seq: number;
  atMs: number;
  stream: 'STDOUT' | 'STDERR';
  /** At most 64 KiB of UTF-8; empty where output was dropped. */
  text: string;
  /** Bytes of this stream that are missing at this position. */
  droppedBytes: number | null;
  /** Offset in the spool of the first byte after this chunk. */
  endOffset: number;
}

/** The chunk of an `output` or `gap` frame; undefined for the others. */
export function toChunk(frame: Frame): SpoolChunk | undefined {
  if (frame.kind !== 'output' && frame.kind !== 'gap') return undefined;
  const text = frame.payload.toString('utf8');
  const isGap = frame.kind === 'gap';
  return {
    seq: frame.seq,
    atMs: frame.atMs,
    stream: frame.stream === 'STDERR' ? 'STDERR' : 'STDOUT',
    text: isGap ? '' : text,
    droppedBytes: isGap ? toCount(text) : null,
    endOffset: frame.endOffset,
  };
}

function toCount(digits: string): number {
  return /^\d{1,15}$/.test(digits) ? Number(digits) : 0;
}
