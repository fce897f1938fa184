/**
 * The frames of a spool, as docs/runner-contract.md defines them. Pure: bytes in, frames out. The bytes are hostile
 * input, so every field is checked before it is believed.
 */
export const FRAME_HEADER_BYTES = 24;
export const MAX_FRAME_PAYLOAD_BYTES = 64 * 1024;

export const FRAME_MAGIC = Buffer.from('LF');
const KINDS = [undefined, 'started', 'output', 'gap', 'ended'] as const;
const STREAMS = ['NONE', 'STDOUT', 'STDERR'] as const;

export type FrameKind = NonNullable<(typeof KINDS)[number]>;
export type FrameStream = (typeof STREAMS)[number];

export interface Frame {
  kind: FrameKind;
  stream: FrameStream;
  /** 1, 2, 3 … over `output` and `gap` frames; 0 for the others. */
  seq: number;
  /** Milliseconds since 1970 UTC, with a fraction. */
  atMs: number;
  /** Points into the buffer that was parsed. */
  payload: Buffer;
  /** Offset of the first byte after this frame, in the file. */
  endOffset: number;
}

export class SpoolDamagedError extends Error {
  constructor(
    readonly offset: number,
    what: string,
  ) {
    super(`the log is damaged at byte ${offset}: ${what}`);
    this.name = 'SpoolDamagedError';
  }
}

/**
 * Parses the whole frames at the start of `bytes`, which begin at `offset` of the file. What follows the last whole
 * frame is "not there yet". Throws `SpoolDamagedError` at the first frame that cannot be one; frames before it are lost
 * to this call, so callers that want them parse up to `error.offset`.
 */
export function parseFrames(bytes: Buffer, offset: number): Frame[] {
  const frames: Frame[] = [];
  let at = 0;
  for (;;) {
    const frame = parseFrame(bytes, at, offset);
    if (!frame) return frames;
    frames.push(frame);
    at = frame.endOffset - offset;
  }
}

/** The frame at `at`, or undefined when it is not all there. */
export function parseFrame(bytes: Buffer, at: number, offset: number): Frame | undefined {
  if (bytes.length - at < FRAME_HEADER_BYTES) return undefined;
  if (bytes[at] !== FRAME_MAGIC[0] || bytes[at + 1] !== FRAME_MAGIC[1])
    throw new SpoolDamagedError(offset + at, 'no frame begins there');
  const kind = KINDS[bytes.readUInt8(at + 2)];
  const stream = STREAMS[bytes.readUInt8(at + 3)];
  const length = bytes.readUInt32LE(at + 4);
  if (!kind || !stream) throw new SpoolDamagedError(offset + at, 'unknown kind of frame');
  if (length > MAX_FRAME_PAYLOAD_BYTES) throw new SpoolDamagedError(offset + at, 'a frame is too long');
  const end = at + FRAME_HEADER_BYTES + length;
  if (end > bytes.length) return undefined;
  return {
    kind,
    stream,
    seq: Number(bytes.readBigUInt64LE(at + 8)),
    atMs: Number(bytes.readBigUInt64LE(at + 16)) / 1000,
    payload: bytes.subarray(at + FRAME_HEADER_BYTES, end),
    endOffset: offset + end,
  };
}

/** The header of a frame that was parsed: it lies just before the payload. */
export function headerOf({ payload }: Frame): Buffer {
  return Buffer.from(payload.buffer, payload.byteOffset - FRAME_HEADER_BYTES, FRAME_HEADER_BYTES);
}

/** Builds one frame; for tests and for the fake runtime. */
export function encodeFrame(frame: {
  kind: FrameKind;
  stream?: FrameStream;
  seq?: number;
  atMs?: number;
  payload: string | Buffer;
}): Buffer {
  const payload = Buffer.from(frame.payload);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  FRAME_MAGIC.copy(header, 0);
  header.writeUInt8(KINDS.indexOf(frame.kind), 2);
  header.writeUInt8(STREAMS.indexOf(frame.stream ?? 'NONE'), 3);
  header.writeUInt32LE(payload.length, 4);
  header.writeBigUInt64LE(BigInt(frame.seq ?? 0), 8);
  header.writeBigUInt64LE(BigInt(Math.round((frame.atMs ?? 0) * 1000)), 16);
  return Buffer.concat([header, payload]);
}
