import { describe, expect, it } from '@jest/globals';
import { findEnded, findStart } from './ended.js';
import { encodeFrame } from './frames.js';
import { newKey } from './key.js';
import { encodeSignedFrame } from './signature.js';

const KEY = { workload: 'w', key: newKey(), attempt: 1 };

const STARTED = encodeFrame({ kind: 'started', atMs: 1000, payload: '{"version":1}' });
const OUTPUT = encodeFrame({ kind: 'output', stream: 'STDOUT', seq: 1, payload: 'LF' });

function ended(report: unknown, atMs = 2000): Buffer {
  return encodeFrame({ kind: 'ended', atMs, payload: JSON.stringify(report) });
}

describe('the beginning of a log', () => {
  it('tells when the script started', () => {
    expect(findStart(Buffer.concat([STARTED, OUTPUT]))).toBe(1000);
  });

  it('tells nothing without a `started` frame, and of bytes that are no frame', () => {
    for (const head of [Buffer.alloc(0), OUTPUT, STARTED.subarray(0, -1), Buffer.alloc(100)])
      expect(findStart(head)).toBeUndefined();
  });

  it('tells nothing that its runner did not sign, where there is a key', () => {
    const signed = encodeSignedFrame({ kind: 'started', atMs: 1000, payload: '{"version":1}' }, KEY);
    expect([signed, STARTED].map((head) => findStart(head, KEY))).toEqual([1000, undefined]);
    expect(findStart(signed)).toBe(1000);
  });
});

describe('the end of a log', () => {
  it('is found where the tail begins in the middle of a frame', () => {
    const log = Buffer.concat([STARTED, OUTPUT, ended({ exitCode: 3, signal: null, oomKills: 1 })]);
    expect(findEnded(log.subarray(7))).toMatchObject({ atMs: 2000, exitCode: 3, signal: null, oomKills: 1 });
  });

  it('is only what its runner signed, where there is a key', () => {
    const signed = encodeSignedFrame({ kind: 'ended', payload: '{"exitCode":3}' }, KEY);
    const forged = ended({ exitCode: 0, signal: null });
    const tails = [signed, Buffer.concat([forged, signed]), forged, Buffer.concat([signed, forged])];
    expect(tails.map((tail) => findEnded(tail, KEY)?.exitCode)).toEqual([3, 3, undefined, undefined]);
    expect(findEnded(signed, { ...KEY, attempt: 2 })).toBeUndefined();
    // A server that knows of no signatures.
    expect(findEnded(signed)).toMatchObject({ exitCode: 3 });
  });

  it('is that of the last frame alone', () => {
    expect(findEnded(Buffer.concat([ended({ exitCode: 0 }), OUTPUT]))).toBeUndefined();
    expect(findEnded(ended({ exitCode: 0 }).subarray(0, -1))).toBeUndefined();
  });

  it.each([
    ['a code that no process has', { exitCode: 256 }, { exitCode: null }],
    ['a signal that there is not', { signal: 65 }, { signal: null }],
    ['a negative count', { oomKills: -1 }, { oomKills: 0 }],
    ['a fraction of a byte', { droppedBytes: 0.5 }, { droppedBytes: 0 }],
    ['a time beyond all', { wallSeconds: 1e300 }, { wallSeconds: 0 }],
    ['a text for a truth', { timedOut: 'true' }, { timedOut: false }],
  ])('holds no forged figure: %s', (_, report, expected) => {
    expect(findEnded(ended(report))).toMatchObject(expected);
  });

  it('has a time that every date can hold', () => {
    expect(findEnded(ended({}, 9e15))?.atMs).toBe(8.64e15);
  });

  it('says nothing where it is no JSON', () => {
    expect(findEnded(encodeFrame({ kind: 'ended', payload: 'no JSON' }))).toBeUndefined();
    expect(findEnded(ended(null))).toBeUndefined();
  });
});
