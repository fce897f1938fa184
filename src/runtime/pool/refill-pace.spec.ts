import { describe, expect, it } from '@jest/globals';
import { REFILL_DELAY_MS, RefillPace } from './refill-pace.js';

const NOW = 1_800_000_000_000;

describe('the pace of a refill', () => {
  it('leaves a job a moment, once for jobs that come all the time', () => {
    const pace = new RefillPace();
    expect([pace.isQuiet(NOW), pace.noteArrival(NOW), pace.isQuiet(NOW)]).toEqual([false, true, true]);
    expect(pace.isQuiet(NOW + REFILL_DELAY_MS)).toBe(false);
    // While there is a pause, and while there has just been one.
    expect(pace.noteArrival(NOW + 1)).toBe(false);
    expect(pace.noteArrival(NOW + REFILL_DELAY_MS)).toBe(false);
    expect(pace.isQuiet(NOW + REFILL_DELAY_MS)).toBe(false);
    expect(pace.noteArrival(NOW + 2 * REFILL_DELAY_MS)).toBe(true);
  });

  it('starts fewer at once while jobs come', () => {
    const pace = new RefillPace();
    expect(pace.startsAtOnce(NOW)).toBe(2);
    pace.noteArrival(NOW);
    expect([pace.startsAtOnce(NOW + 999), pace.startsAtOnce(NOW + 1_000)]).toEqual([1, 2]);
  });

  it('is not quiet for ever after the clock was set back', () => {
    const pace = new RefillPace();
    pace.noteArrival(NOW);
    expect(pace.isQuiet(NOW - 3_600_000)).toBe(false);
  });
});
