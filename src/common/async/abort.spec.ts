import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { abortable, limitedSignal } from './abort.js';

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

describe('limitedSignal', () => {
  it('aborts when the time is up, also after what is not held any more was collected', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const parent = new AbortController();
    const isAborted = new Promise<void>((resolve) => {
      limitedSignal(parent.signal, 200).signal.addEventListener('abort', () => resolve());
    });
    const timer = setInterval(collect, 20);
    await isAborted;
    clearInterval(timer);
    expect(parent.signal.aborted).toBe(false);
  });

  it('aborts with its parent, for the same reason', () => {
    const parent = new AbortController();
    const { signal, release } = limitedSignal(parent.signal, 60_000);
    parent.abort(new Error('stopping'));
    expect(signal.reason).toEqual(new Error('stopping'));
    release();
  });

  it('aborts no more when it is released', async () => {
    const parent = new AbortController();
    const { signal, release } = limitedSignal(parent.signal, 1);
    release();
    await new Promise((resolve) => setTimeout(resolve, 20));
    parent.abort();
    expect(signal.aborted).toBe(false);
  });
});
