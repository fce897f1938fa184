import { describe, expect, it } from '@jest/globals';
import { collectPair, toInteger, toMebibytes, toNumber, toPositiveInteger, toSeconds } from './values.js';

describe('values of options', () => {
  it.each([
    [toSeconds, '60', 60],
    [toSeconds, '90s', 90],
    [toSeconds, '5m', 300],
    [toSeconds, '2h', 7200],
    [toMebibytes, '512', 512],
    [toMebibytes, '512m', 512],
    [toMebibytes, '2G', 2048],
    [toMebibytes, '2GiB', 2048],
    [toInteger, '-3', -3],
    [toNumber, '.5', 0.5],
    [toNumber, '2', 2],
  ])('%p takes %j', (convert, text, value) => {
    expect(convert(text)).toBe(value);
  });

  it.each([
    [toSeconds, '1.5m'],
    [toSeconds, 'soon'],
    [toSeconds, ''],
    [toMebibytes, '1t'],
    [toInteger, '1.5'],
    [toPositiveInteger, '0'],
    [toNumber, '1e3'],
    [collectPair, '=value'],
    [collectPair, 'name'],
  ])('%p refuses %j', (convert, text) => {
    expect(() => (convert as (text: string) => unknown)(text)).toThrow(/^Give /);
  });

  it('splits a pair at its first = and keeps those before it', () => {
    expect(collectPair('b=c=d', [{ name: 'a', value: '' }])).toEqual([
      { name: 'a', value: '' },
      { name: 'b', value: 'c=d' },
    ]);
  });
});
