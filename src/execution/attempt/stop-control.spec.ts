import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SILENT_LOG } from '../../../test/support/recorded-log.js';
import type { RuntimeProvider } from '../../runtime/runtime-provider.js';
import { StopControl } from './stop-control.js';

describe('StopControl', () => {
  let over: AbortController;
  let lines: object[];
  let stops: number;

  beforeEach(() => {
    jest.useFakeTimers();
    over = new AbortController();
    lines = [];
    stops = 0;
  });

  afterEach(() => void jest.useRealTimers());

  /** Over an engine that runs `answer` for each stop, with the number of the stop. */
  function controlOver(answer: (stop: number) => void): StopControl {
    const stop = async (): Promise<void> => answer(++stops);
    const log = { ...SILENT_LOG, warn: (fields: object) => void lines.push(fields) };
    return new StopControl(
      { stop } as Partial<RuntimeProvider> as RuntimeProvider,
      'handle',
      log,
      over.signal,
    );
  }

  function away(): never {
    throw new Error('away');
  }

  it('asks an engine that is away until it has stopped the workload, and logs each failure', async () => {
    const stopped = controlOver((stop) => stop < 3 && away()).stop('cancel', 1);
    await jest.advanceTimersByTimeAsync(600);
    await stopped;
    const line = { err: 'away', reason: 'cancel' };
    expect([stops, lines]).toEqual([3, [line, line]]);
  });

  it('asks no more and does not reject once the workload is over', async () => {
    const control = controlOver(away);
    const stopped = control.stop('cancel', 1);
    await jest.advanceTimersByTimeAsync(0);
    over.abort(new Error('it is over'));
    await stopped;
    await control.stop('deadline', 1);
    expect([stops, lines.length, control.reason]).toEqual([1, 1, 'cancel']);
  });

  it('says when a stop has had no effect, by the shortest grace that was asked for', async () => {
    const control = controlOver(() => undefined);
    let isIgnored = false;
    void control.ignored.then(() => (isIgnored = true));
    await control.stop('cancel', 60);
    await control.stop('deadline', 1);
    await jest.advanceTimersByTimeAsync(20_999);
    expect(isIgnored).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect([isIgnored, control.reason]).toEqual([true, 'cancel']);
  });

  it('waits for no effect once the workload is over', async () => {
    const control = controlOver(() => undefined);
    await control.stop('cancel', 1);
    over.abort();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('logs no failure that the end of the workload has caused', async () => {
    await controlOver(() => {
      over.abort();
      away();
    }).stop('cancel', 1);
    expect([stops, lines]).toEqual([1, []]);
  });
});
