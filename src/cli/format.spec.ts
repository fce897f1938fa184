import { describe, expect, it } from '@jest/globals';
import { formatBytes, formatDuration, paintState, printable, toTable } from './format.js';

describe('format', () => {
  it('takes from names what would steer a terminal or break a line', () => {
    expect(printable('a\u001b[31mb\r\nc\u009bd\u202ee')).toBe('a\ufffd[31mb\ufffd\ufffdc\ufffdd\ufffde');
    expect(printable('Zürich 東京 🗺')).toBe('Zürich 東京 🗺');
  });

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [20_000_000, '20.0 MB'],
    [5e15, '5000.0 TB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1_500, '1.5 s'],
    [61_000, '1 min 1 s'],
    [3_660_000, '1 h 1 min'],
  ])('%d ms are %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it('sets columns, without spaces at the end of a line', () => {
    expect(
      toTable([
        ['a', 'bb', ''],
        ['aaa', 'b', 'c'],
      ]),
    ).toBe('a    bb\naaa  b   c\n');
  });

  it('paints only where colours are wanted', () => {
    expect(paintState('FAILED', 'FAILED', false)).toBe('FAILED');
    expect(paintState('FAILED', 'FAILED', true)).toBe('\u001b[31mFAILED\u001b[39m');
  });
});
