import { describe, expect, it } from '@jest/globals';
import { Bell } from './bell.js';

describe('Bell', () => {
  it('remembers one ring until it is heard', async () => {
    const bell = new Bell();
    bell.ring();
    bell.ring();
    await bell.heard();
    const aborted = bell.heard(AbortSignal.timeout(1));
    await expect(aborted).rejects.toThrow();
  });

  it('wakes its listener', async () => {
    const bell = new Bell();
    const heard = bell.heard();
    bell.ring();
    await heard;
  });

  it('tells its listener, and whoever comes later, why it will not ring any more', async () => {
    const bell = new Bell();
    const heard = expect(bell.heard()).rejects.toThrow('closed');
    bell.fail(new Error('closed'));
    await heard;
    await expect(bell.heard()).rejects.toThrow('closed');
  });
});
