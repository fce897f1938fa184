import { describe, expect, it } from '@jest/globals';
import { ArrivalRate, targetSize } from './arrival-rate.js';
import { CircuitBreaker } from './circuit-breaker.js';

describe('the arrival rate', () => {
  it('comes near the true rate, and forgets', () => {
    const rate = new ArrivalRate();
    expect(rate.perSecond(1_000)).toBe(0);
    for (let ms = 0; ms <= 120_000; ms += 500) rate.record(ms);
    expect(rate.perSecond(120_000)).toBeGreaterThan(1.8);
    expect(rate.perSecond(120_000)).toBeLessThan(2.2);
    expect(rate.perSecond(180_000)).toBeLessThan(0.3);
    expect(rate.perSecond(600_000)).toBeLessThan(0.001);
  });
});

describe('the size that a pool wants', () => {
  it.each([
    [0, 2, 2],
    [0.1, 2, 2],
    [1, 2, 4],
    [1, 3.2, 7],
    [100, 2, 10],
  ])('%d jobs a second, %d s to fill: %d', (perSecond, seconds, expected) => {
    expect(targetSize({ min: 2, max: 10 }, perSecond, seconds)).toBe(expected);
  });
});

describe('a pool that need not have any', () => {
  const wanted = (rate: ArrivalRate, ms: number): number =>
    targetSize({ min: 0, max: 10 }, rate.perSecond(ms), 2);

  it('has one after a job came, and none when no other one follows', () => {
    const rate = new ArrivalRate();
    expect(wanted(rate, 0)).toBe(0);
    rate.record(0);
    expect(wanted(rate, 10_000)).toBe(1);
    expect(wanted(rate, 300_000)).toBe(0);
  });
});

describe('the circuit breaker', () => {
  it('lets nothing through after a failure, then one try, and everything after a success', () => {
    const breaker = new CircuitBreaker();
    expect(breaker.allowance(0, 2)).toBe(2);
    const delayMs = breaker.fail(0, 'no image');
    expect(breaker.message).toBe('no image');
    expect(breaker.allowance(delayMs - 1, 2)).toBe(0);
    expect(breaker.allowance(delayMs + 1, 2)).toBe(1);
    breaker.succeed(delayMs + 1);
    expect(breaker.allowance(delayMs + 1, 2)).toBe(2);
    expect(breaker.message).toBeUndefined();
  });

  it('waits longer each time, up to five minutes', () => {
    const breaker = new CircuitBreaker();
    let nowMs = 0;
    const delays = Array.from({ length: 30 }, () => breaker.fail((nowMs += 400_000), 'no'));
    expect(delays[0]!).toBeLessThanOrEqual(1_000);
    expect(delays[3]!).toBeGreaterThan(delays[0]! * 4);
    expect(Math.max(...delays)).toBeLessThanOrEqual(300_000);
    expect(delays.at(-1)!).toBeGreaterThanOrEqual(225_000);
  });

  it('counts failures that come together once, as when an engine ends with all its workers', () => {
    const breaker = new CircuitBreaker();
    const delays = Array.from({ length: 30 }, (_, ms) => breaker.fail(ms, 'no'));
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_000);
    expect(breaker.allowance(1_000, 2)).toBe(1);
  });

  it('waits longer each time for workers that come up and die, and begins anew after a calm time', () => {
    const breaker = new CircuitBreaker();
    let nowMs = 0;
    const delays = Array.from({ length: 10 }, () => {
      const delayMs = breaker.fail(nowMs, 'no');
      nowMs += delayMs;
      breaker.succeed(nowMs);
      expect([breaker.allowance(nowMs, 2), breaker.message]).toEqual([2, undefined]);
      nowMs += 5_000;
      return delayMs;
    });
    expect(delays[9]!).toBeGreaterThan(delays[0]! * 100);
    expect(breaker.fail(nowMs + 600_000, 'no')).toBeLessThanOrEqual(1_000);
  });

  it('does not wait for a clock that was set back', () => {
    const breaker = new CircuitBreaker();
    breaker.fail(3_600_000, 'no');
    expect(breaker.allowance(0, 2)).toBe(1);
  });
});
