import { describe, expect, it } from '@jest/globals';
import { toByteRange } from './byte-range.js';

describe('a Range header', () => {
  it.each([
    [undefined, { kind: 'whole' }],
    ['bytes=0-0', { kind: 'part', start: 0, end: 0 }],
    ['bytes=90-', { kind: 'part', start: 90, end: 99 }],
    ['bytes=-10', { kind: 'part', start: 90, end: 99 }],
    ['bytes=50-500', { kind: 'part', start: 50, end: 99 }],
    ['bytes=0-4,5-9', { kind: 'part', start: 0, end: 9 }],
    ['bytes=0-1,50-51', { kind: 'whole' }],
    ['bytes=100-', { kind: 'unsatisfiable' }],
    ['bytes=x', { kind: 'whole' }],
    ['lines=1-2', { kind: 'whole' }],
    ['nonsense', { kind: 'whole' }],
  ])('%j of 100 bytes asks for %j', (header, expected) => {
    expect(toByteRange(header, 100)).toEqual(expected);
  });
});
