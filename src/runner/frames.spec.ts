import { describe, expect, it } from '@jest/globals';
import { FRAME_HEADER_BYTES, SpoolDamagedError, encodeFrame, parseFrame } from './frames.js';

const FRAME = encodeFrame({ kind: 'output', stream: 'STDERR', seq: 7, atMs: 1234.5, payload: 'äb' });

describe('a frame', () => {
  it('comes back as it was written', () => {
    const frame = parseFrame(FRAME, 0, 100);
    expect(frame).toMatchObject({
      kind: 'output',
      stream: 'STDERR',
      seq: 7,
      atMs: 1234.5,
      endOffset: 100 + FRAME_HEADER_BYTES + 3,
    });
    expect(frame?.payload.toString()).toBe('äb');
  });

  it('is not there until its last byte is', () => {
    for (let length = 0; length < FRAME.length; length++)
      expect(parseFrame(FRAME.subarray(0, length), 0, 0)).toBeUndefined();
  });

  it.each([
    ['a wrong magic', 0, 0],
    ['an unknown kind', 2, 9],
    ['kind 0', 2, 0],
    ['an unknown stream', 3, 3],
    ['a length beyond the bound', 6, 2],
  ])('with %s is damage, told with its place', (_, at, value) => {
    const bytes = Buffer.from(FRAME);
    bytes[at] = value;
    expect(() => parseFrame(bytes, 0, 50)).toThrow(SpoolDamagedError);
    expect(() => parseFrame(bytes, 0, 50)).toThrow('at byte 50');
  });
});
