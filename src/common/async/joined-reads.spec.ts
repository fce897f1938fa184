import { describe, expect, it } from '@jest/globals';
import { JoinedReads } from './joined-reads.js';

describe('JoinedReads', () => {
  it('reads once for all who ask at the same moment, and again for who asks later', async () => {
    const reads = new JoinedReads();
    let count = 0;
    const ask = (): Promise<number> => reads.read('key', async () => ++count);
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1]);
    expect(await ask()).toBe(2);
  });

  it('never serves somebody with a read that began before they asked', async () => {
    const reads = new JoinedReads();
    let truth = 'old';
    let answer: (() => void) | undefined;
    let begun: (() => void) | undefined;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const early = reads.read('key', async () => {
      const seen = truth;
      begun?.();
      await new Promise<void>((resolve) => (answer = resolve));
      return seen;
    });
    await hasBegun;
    truth = 'new';
    const late = reads.read('key', async () => truth);
    answer?.();
    expect(await Promise.all([early, late])).toEqual(['old', 'new']);
  });

  it('keeps different keys apart and tells a fault to all who share it, but not to the next', async () => {
    const reads = new JoinedReads();
    const fail = (): Promise<string> => reads.read('a', async () => Promise.reject(new Error('away')));
    const [one, two, other] = await Promise.allSettled([fail(), fail(), reads.read('b', async () => 'b')]);
    expect([one.status, two.status, other]).toEqual([
      'rejected',
      'rejected',
      { status: 'fulfilled', value: 'b' },
    ]);
    expect(await reads.read('a', async () => 'back')).toBe('back');
  });
});
