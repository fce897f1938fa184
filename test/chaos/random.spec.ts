import { describe, expect, it } from '@jest/globals';
import { Random } from './random.mjs';

function draws(random: Random, count = 1000): number[] {
  return Array.from({ length: count }, () => random.next());
}

describe('random numbers with a seed', () => {
  it('are the same for the same seed only', () => {
    expect(draws(new Random('1'))).toEqual(draws(new Random('1')));
    expect(draws(new Random('1'))).not.toEqual(draws(new Random('2')));
  });

  it('come in streams that do not disturb each other', () => {
    const random = new Random('1');
    const before = draws(random.derive('jobs'));
    draws(random);
    expect(draws(random.derive('jobs'))).toEqual(before);
    expect(draws(random.derive('faults'))).not.toEqual(before);
  });

  it('are spread over their range', () => {
    const random = new Random('1');
    const dice = Array.from({ length: 6000 }, () => random.int(1, 6));
    for (let face = 1; face <= 6; face++) {
      const times = dice.filter((each) => each === face).length;
      expect(times).toBeGreaterThan(850);
      expect(times).toBeLessThan(1150);
    }
    expect(Math.min(...dice)).toBe(1);
    expect(Math.max(...dice)).toBe(6);
  });

  it('shuffle without losing anything', () => {
    const list = Array.from({ length: 50 }, (_, at) => at);
    const shuffled: number[] = new Random('1').shuffle(list);
    expect(shuffled).not.toEqual(list);
    expect([...shuffled].sort((a, b) => a - b)).toEqual(list);
  });
});
