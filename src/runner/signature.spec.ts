import { describe, expect, it } from '@jest/globals';
import { FRAME_HEADER_BYTES, encodeFrame, parseFrame } from './frames.js';
import { newKey, toKeyFile } from './key.js';
import type { FrameKey } from './signature.js';
import { encodeSignedFrame, isSignedFrame, readyTrust, signReady } from './signature.js';

/** The same ones are in runner-image/tests/test_signature.py. */
const KEY: FrameKey = {
  workload: 'runner-köln',
  key: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
  attempt: 3,
};
const STARTED = {
  kind: 'started',
  atMs: 1764000000123.456,
  payload: '{"version":1,"pid":7,"python":"3.11.2"}',
} as const;
const STARTED_MAC = '0e92cdbeb8311c5c9e1aa95ad55971fd9022980d43c7138e615bdc3780e17b84';
const ENDED = { kind: 'ended', atMs: 1764000001123.456, payload: '{"exitCode":0,"signal":null}' } as const;
const ENDED_MAC = 'ea9c3ba5efbe083146ae2738d33077cba636de5f20e257b8ed665f854c2972a6';
const READY = '{"version": 1, "pid": 7}';
const READY_MAC = '98bc9460352d545edf5ecb1b8fd76b9724cf35917c3d12a9cc8ab1cda6d7a15c';

function signed(text: string, mac: string): string {
  return `${text.slice(0, -1)},"mac":"${mac}"}`;
}

function isSigned(frame: Buffer, key: FrameKey = KEY): boolean {
  return isSignedFrame(parseFrame(frame, 0, 0)!, key);
}

describe('the signature', () => {
  it('is the one that the runner makes', () => {
    for (const [frame, mac] of [
      [STARTED, STARTED_MAC],
      [ENDED, ENDED_MAC],
    ] as const)
      expect(encodeSignedFrame(frame, KEY)).toEqual(
        encodeFrame({ ...frame, payload: signed(frame.payload, mac) }),
      );
    expect(signReady(READY, KEY)).toBe(signed(READY, READY_MAC));
  });

  it('verifies wherever in a log the frame is', () => {
    const log = Buffer.concat([encodeFrame({ kind: 'output', payload: 'x' }), encodeSignedFrame(ENDED, KEY)]);
    expect(isSignedFrame(parseFrame(log, FRAME_HEADER_BYTES + 1, 100)!, KEY)).toBe(true);
  });

  it.each([
    ['another key', { ...KEY, key: newKey() }],
    ['another workload', { ...KEY, workload: 'runner-b' }],
    ['another attempt', { ...KEY, attempt: 1 }],
  ])('is not the one of %s', (_, key) => {
    expect([STARTED, ENDED].map((frame) => isSigned(encodeSignedFrame(frame, key)))).toEqual([false, false]);
  });

  it('covers each byte of the frame', () => {
    const frame = encodeSignedFrame(ENDED, KEY);
    // The length decides how much is read, so it is left out here.
    const bytes = [...frame.keys()].filter((at) => at > 1 && (at < 4 || at > 7));
    for (const at of bytes) {
      const changed = Buffer.from(frame);
      changed[at]! ^= 1;
      expect([at, verifies(changed)]).toEqual([at, false]);
    }
    expect(isSigned(encodeFrame({ ...STARTED, payload: signed(STARTED.payload, ENDED_MAC) }))).toBe(false);
  });

  it('is missing in whatever has no such end', () => {
    for (const payload of [
      '',
      '{}',
      ENDED.payload,
      signed(ENDED.payload, ENDED_MAC.toUpperCase()),
      `${signed(ENDED.payload, ENDED_MAC)} `,
    ])
      expect(isSigned(encodeFrame({ ...ENDED, payload }))).toBe(false);
    expect([READY, '', '{"mac":"00"}'].map((text) => readyTrust(text, KEY))).toEqual([
      'none',
      'none',
      'none',
    ]);
  });

  it('of a worker is of no attempt', () => {
    expect(readyTrust(signReady(READY, KEY), KEY)).toBe('signed');
    expect(readyTrust(signReady(READY, { ...KEY, key: newKey() }), KEY)).toBe('forged');
  });

  /** Some changes make the frame none. */
  function verifies(frame: Buffer): boolean {
    try {
      return isSigned(frame);
    } catch {
      return false;
    }
  }
});

describe('the key', () => {
  it('is another one for each workload, and a line of JSON', () => {
    const key = newKey();
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(newKey()).not.toBe(key);
    expect(toKeyFile({ workload: 'w', key })).toBe(`{"version":1,"workload":"w","key":"${key}"}\n`);
  });
});
