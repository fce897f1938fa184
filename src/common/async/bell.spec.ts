import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Bell } from './bell.js';

describe('Bell', () => {
  it('remembers one ring until it is heard', async () => {
    const bell = new Bell();
    bell.ring();
    bell.ring();
    await bell.wait(undefined);
    expect(await isSilent(bell)).toBe(true);
  });

  it('wakes its listener', async () => {
    const bell = new Bell();
    const heard = bell.wait(undefined);
    bell.ring();
    await heard;
    expect(await isSilent(bell)).toBe(true);
  });

  it('lets its listener go when the time is up, and when the wait is aborted', async () => {
    const bell = new Bell();
    const abort = new AbortController();
    const listeners = (): number => getEventListeners(abort.signal, 'abort').length;
    await bell.wait(1, abort.signal);
    expect(listeners()).toBe(0);
    const heard = bell.wait(undefined, abort.signal);
    expect(listeners()).toBe(1);
    abort.abort();
    await heard;
    expect(listeners()).toBe(0);
    await bell.wait(undefined, abort.signal);
    expect(listeners()).toBe(0);
  });
});

/** Whether a wait does not end by itself. */
async function isSilent(bell: Bell): Promise<boolean> {
  const abort = new AbortController();
  let isHeard = false;
  const heard = bell.wait(undefined, abort.signal).then(() => (isHeard = true));
  await new Promise((resolve) => setImmediate(resolve));
  const wasHeard = isHeard;
  abort.abort();
  await heard;
  return !wasHeard;
}
