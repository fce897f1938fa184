import { describe, expect, it } from '@jest/globals';
import { seccompFilter } from './seccomp-filter.js';

const RETURN = 0x06;

describe('seccompFilter', () => {
  it.each(['x64', 'arm64'])('ends every path on %s with a verdict', (architecture) => {
    const program = seccompFilter(architecture)!;
    const count = program.length / 8;
    expect(program.readUInt16LE((count - 1) * 8)).toBe(RETURN);
    for (let at = 0; at < count; at++) {
      if (program.readUInt16LE(at * 8) === RETURN || at === count - 1) continue;
      const furthest = Math.max(program.readUInt8(at * 8 + 2), program.readUInt8(at * 8 + 3));
      expect(at + 1 + furthest).toBeLessThan(count);
    }
  });

  it('does not guess for other machines', () => {
    expect(seccompFilter('riscv64')).toBeUndefined();
  });
});
