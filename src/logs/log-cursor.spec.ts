import { describe, expect, it } from '@jest/globals';
import { BadInputError } from '../common/app-error.js';
import { decodeCursor, encodeCursor } from './log-cursor.js';

describe('a cursor', () => {
  it('names the same position after a journey through a client', () => {
    const position = { attempt: 3, offset: 2 ** 40 };
    expect(decodeCursor(encodeCursor(position))).toEqual(position);
  });

  it.each([
    '',
    'x',
    '!!',
    Buffer.from('0:5').toString('base64url'),
    Buffer.from('1:-5').toString('base64url'),
    Buffer.from('1:5:6').toString('base64url'),
  ])('that we did not make is refused: %j', (cursor) => {
    expect(() => decodeCursor(cursor)).toThrow(BadInputError);
  });
});
