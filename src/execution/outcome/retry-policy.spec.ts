import { describe, expect, it } from '@jest/globals';
import type { Outcome } from './outcome.js';
import { retryDelayMs } from './retry-policy.js';

const FAILED: Outcome = {
  state: 'FAILED',
  reason: 'EXIT_NONZERO',
  message: '',
  exitCode: 1,
  signal: null,
  hint: null,
  retryable: false,
};
const PLATFORM: Outcome = { ...FAILED, reason: 'START_FAILED', retryable: true };

describe('another attempt', () => {
  it('is made by itself, later each time, while the platform fails before the script runs', () => {
    const delays = [0, 1, 2, 3].map((notStarted) =>
      retryDelayMs(PLATFORM, false, { started: 0, notStarted, retries: 0 }),
    );
    expect(delays).toEqual([1000, 2000, 4000, undefined]);
  });

  it('is made for longer while there is only no room', () => {
    const full: Outcome = { ...PLATFORM, reason: 'UNSCHEDULABLE' };
    const delays = [0, 3, 28, 29].map((notStarted) =>
      retryDelayMs(full, false, { started: 0, notStarted, retries: 0 }),
    );
    expect(delays).toEqual([1000, 8000, 60_000, undefined]);
  });

  it('is not made for a permanent fault of the platform', () => {
    const permanent = { ...PLATFORM, retryable: false };
    expect(retryDelayMs(permanent, false, { started: 0, notStarted: 0, retries: 5 })).toBeUndefined();
  });

  it('is made after the script ran only as often as the caller asked', () => {
    const after = (started: number, retries: number) =>
      retryDelayMs(FAILED, true, { started, notStarted: 0, retries });
    expect([after(0, 0), after(0, 1), after(1, 1), after(1, 2)]).toEqual([undefined, 1000, undefined, 2000]);
  });

  it('is never made after success or cancel', () => {
    const earlier = { started: 0, notStarted: 0, retries: 5 };
    expect(retryDelayMs({ ...FAILED, state: 'SUCCEEDED' }, true, earlier)).toBeUndefined();
    expect(retryDelayMs({ ...FAILED, state: 'CANCELLED' }, true, earlier)).toBeUndefined();
  });
});
