import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { retry } from './retry.js';

describe('retry', () => {
  let abort: AbortController;
  let failures: unknown[];
  let triedAtMs: number[];

  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
    // The whole delay, without jitter.
    jest.spyOn(Math, 'random').mockReturnValue(1);
    abort = new AbortController();
    failures = [];
    triedAtMs = [];
  });

  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  /** Runs work that fails with each of `errors` in turn and then succeeds; `onTry` is called in each try. */
  function run(
    errors: readonly Error[],
    { isFinal, onTry }: { isFinal?: (error: unknown) => boolean; onTry?: () => void } = {},
  ): Promise<string> {
    const left = [...errors];
    const work = async (): Promise<string> => {
      triedAtMs.push(Date.now());
      onTry?.();
      const error = left.shift();
      if (error) throw error;
      return 'done';
    };
    const onFailure = (error: unknown): void => void failures.push(error);
    return retry(work, { firstMs: 100, maxMs: 300, isFinal, onFailure }, abort.signal);
  }

  it('resolves with the result of the first try that succeeds', async () => {
    expect(await run([])).toBe('done');
    expect([triedAtMs, failures]).toEqual([[0], []]);
  });

  it('waits longer after each failure, up to the longest delay, and tells of each', async () => {
    const errors = ['one', 'two', 'three', 'four'].map((text) => new Error(text));
    const result = run(errors);
    await jest.advanceTimersByTimeAsync(99);
    expect([triedAtMs, failures]).toEqual([[0], [errors[0]]]);
    await jest.advanceTimersByTimeAsync(801);
    expect(await result).toBe('done');
    expect([triedAtMs, failures]).toEqual([[0, 100, 300, 600, 900], errors]);
  });

  it('throws a final error as it is, without telling of it', async () => {
    const [passing, final] = [new Error('passing'), new Error('final')];
    const refused = expect(run([passing, final], { isFinal: (error) => error === final })).rejects.toBe(
      final,
    );
    await jest.advanceTimersByTimeAsync(100);
    await refused;
    expect([triedAtMs, failures]).toEqual([[0, 100], [passing]]);
  });

  it('throws a final error also when the signal aborted during the try', async () => {
    const final = new Error('final');
    const refused = run([final], { isFinal: () => true, onTry: () => abort.abort() });
    await expect(refused).rejects.toBe(final);
  });

  it('rejects with the reason of a signal that aborted during a try that failed, and neither tells nor waits', async () => {
    const reason = new Error('stopping');
    await expect(run([new Error('away')], { onTry: () => abort.abort(reason) })).rejects.toBe(reason);
    expect([triedAtMs, failures, jest.getTimerCount()]).toEqual([[0], [], 0]);
  });

  it('rejects with the reason of a signal that aborts during a delay, at once and for good', async () => {
    const reason = new Error('stopping');
    const refused = expect(run([new Error('away')])).rejects.toBe(reason);
    await jest.advanceTimersByTimeAsync(50);
    abort.abort(reason);
    await refused;
    expect([triedAtMs, jest.getTimerCount()]).toEqual([[0], 0]);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  it('tries once although the signal has aborted, and keeps what succeeds', async () => {
    abort.abort();
    expect(await run([])).toBe('done');
  });
});
