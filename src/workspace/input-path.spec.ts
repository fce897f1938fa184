import { describe, expect, it } from '@jest/globals';
import { clashingInputPaths, inputPathFault } from './input-path.js';

describe('the path of an input file', () => {
  it.each(['a', 'a/b.csv', 'ä b/ç.txt', '..a', 'a..', '.hidden', 'data/request.json'])(
    'may be %j',
    (path) => {
      expect(inputPathFault(path)).toBeUndefined();
    },
  );

  it.each([
    '',
    '/a',
    '../a',
    'a/../b',
    'a/./b',
    'a//b',
    'a/',
    '.',
    '..',
    'a\0b',
    'a\nb',
    'a\\b',
    'request.json',
    'x'.repeat(256),
    'a/'.repeat(300) + 'a',
  ])('may not be %j', (path) => {
    expect(inputPathFault(path)).toEqual(expect.any(String));
  });

  it('may neither be used twice nor be a folder of another', () => {
    expect(clashingInputPaths(['a', 'b/c', 'b/d'])).toEqual([]);
    expect(clashingInputPaths(['a', 'a'])).toEqual(['a']);
    expect(clashingInputPaths(['b', 'b/c/d'])).toEqual(['b']);
    expect(clashingInputPaths(['request.json/x'])).toEqual(['request.json/x']);
  });
});
