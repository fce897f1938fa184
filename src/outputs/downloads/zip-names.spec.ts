import { describe, expect, it } from '@jest/globals';
import { zipNames } from './zip-names.js';

describe('the names of outputs in a zip', () => {
  it('are their paths', () => {
    const paths = ['a', 'a b/ç.txt', '..a', 'd/.hidden', 'd/c:e'];
    expect(zipNames(paths)).toEqual(paths);
  });

  it.each([
    ['a\\b.txt', 'a_b.txt'],
    ['..\\..\\a', '.._.._a'],
    ['c:\\a', 'c__a'],
    ['C:a', 'C_a'],
    ['/a', '_/a'],
    ['a/../../b', 'a/_/_/b'],
    ['\\', '_'],
  ])('hold nothing that a reader takes for a folder or a drive: %j is %j', (path, name) => {
    expect(zipNames([path])).toEqual([name]);
  });

  it('stay different from each other', () => {
    expect(zipNames(['a\\b\\c', 'a\\b_c', 'a_b\\c', 'a_b_c', 'a_b_c~2'])).toEqual([
      'a_b_c~3',
      'a_b_c~4',
      'a_b_c~5',
      'a_b_c',
      'a_b_c~2',
    ]);
  });

  it('are found in no time although thousands of them are one', () => {
    const paths = Array.from({ length: 8192 }, (_, bits) =>
      [...bits.toString(2).padStart(13, '0')].map((bit) => (bit === '0' ? 'x\\' : 'x_')).join(''),
    );
    const before = process.cpuUsage();
    expect(new Set(zipNames(paths)).size).toBe(paths.length);
    // The processor's time, which others on the machine do not use up.
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(5);
  });
});
