import { describe, expect, it } from '@jest/globals';
import { toHostPath } from './host-path.js';

describe('toHostPath', () => {
  it('leaves a path as it is when server and engine see the same folders', () => {
    expect(toHostPath('/data/outputs/1', '/data', undefined)).toBe('/data/outputs/1');
    expect(toHostPath('/elsewhere/1', '/data', undefined)).toBe('/elsewhere/1');
  });

  it.each([
    ['/data/outputs/1', '/srv/maps/outputs/1'],
    ['/data', '/srv/maps'],
    ['/data/..hidden', '/srv/maps/..hidden'],
  ])('moves %s to %s', (path, expected) => {
    expect(toHostPath(path, '/data', '/srv/maps')).toBe(expected);
    expect(toHostPath(path, '/data/', '/srv/maps')).toBe(expected);
  });

  it.each(['/elsewhere/1', '/data-of-another/1', '/', '/data/../etc'])(
    'refuses %s, which is not below',
    (path) => {
      expect(() => toHostPath(path, '/data', '/srv/maps')).toThrow(/outside DATA_DIR/);
    },
  );
});
