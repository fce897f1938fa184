import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { collectGarbage } from '../../../test/support/collect-garbage.js';
import { abortable, signalWithin } from './abort.js';

describe('abortable', () => {
  const unheard: unknown[] = [];
  const note = (reason: unknown): void => void unheard.push(reason);

  beforeEach(() => {
    unheard.length = 0;
    process.on('unhandledRejection', note);
  });
  afterEach(() => void process.off('unhandledRejection', note));

  it.each([
    ['before', AbortSignal.abort(new Error('stopped'))],
    ['after', undefined],
  ])('rejects with the reason of a signal that aborts %s, and hears a later error', async (_, aborted) => {
    const later = new AbortController();
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise<never>((_resolve, reject) => (fail = reject));
    const result = abortable(work, aborted ?? later.signal);
    later.abort(new Error('stopped'));
    await expect(result).rejects.toThrow('stopped');
    fail(new Error('too late'));
    await nextTurn();
    expect(unheard).toEqual([]);
  });

  it('resolves with the work', async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(1), signal)).resolves.toBe(1);
  });
});

describe('signalWithin', () => {
  it('aborts after its time, although nobody holds it and memory was collected meanwhile', async () => {
    const parent = new AbortController();
    const aborted = new Promise((resolve) => {
      signalWithin(50, parent.signal).signal.addEventListener('abort', resolve, { once: true });
    });
    collectGarbage();
    await aborted;
    expect(parent.signal.aborted).toBe(false);
  });

  it('aborts with its parent, for the same reason', () => {
    const parent = new AbortController();
    const { signal } = signalWithin(60_000, parent.signal);
    parent.abort(new Error('stopped'));
    expect(signal.reason).toEqual(new Error('stopped'));
  });

  it('does not abort once it was released', async () => {
    const child = signalWithin(1);
    child.release();
    const { signal } = signalWithin(20);
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    expect(child.signal.aborted).toBe(false);
  });
});
