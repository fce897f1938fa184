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

describe('the circuit breaker', () => {
  it('lets nothing through after a failure, then one try, and everything after a success', () => {
    const breaker = new CircuitBreaker();
    expect(breaker.allowance(0, 2)).toBe(2);
    const delayMs = breaker.fail(0, 'no image');
    expect(breaker.message).toBe('no image');
    expect(breaker.allowance(delayMs - 1, 2)).toBe(0);
    expect(breaker.allowance(delayMs + 1, 2)).toBe(1);
    breaker.succeed();
    expect(breaker.allowance(delayMs + 1, 2)).toBe(2);
    expect(breaker.message).toBeUndefined();
  });

  it('waits longer each time, up to five minutes', () => {
    const breaker = new CircuitBreaker();
    const delays = Array.from({ length: 30 }, () => breaker.fail(0, 'no'));
    expect(delays[0]!).toBeLessThanOrEqual(1_000);
    expect(delays[3]!).toBeGreaterThan(delays[0]! * 4);
    expect(Math.max(...delays)).toBeLessThanOrEqual(300_000);
    expect(delays.at(-1)!).toBeGreaterThanOrEqual(225_000);
  });
});
