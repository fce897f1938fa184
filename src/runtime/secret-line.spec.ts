import { describe, expect, it } from '@jest/globals';
import type { WorkloadStartError } from './runtime.errors.js';
import { secretLine } from './secret-line.js';

function failureOf(run: () => unknown): WorkloadStartError['failure'] | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as WorkloadStartError).failure;
  }
}

describe('secretLine', () => {
  const values = new Map([
    ['A', 'x\n"é'],
    ['B', ''],
    ['__proto__', 'own'],
    ['LONG', 'v'.repeat(33_000)],
  ]);

  it('is one line of JSON with exactly the names asked for', () => {
    const line = secretLine(['A', 'B', '__proto__'], values)!;
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(line).toBe('{"A":"x\\n\\"é","B":"","__proto__":"own"}\n');
  });

  it('is nothing for a job without secrets', () => {
    expect(secretLine([], values)).toBeUndefined();
  });

  it('refuses a name without a value, and says what mends it', () => {
    expect(failureOf(() => secretLine(['A', 'C'], values))).toEqual({
      kind: 'refused',
      message: 'The secret C has no value in this service.',
      hint: 'Set C, or C_FILE, for the server and start it again.',
      retryable: false,
    });
  });

  it('refuses what would not fit a pipe, and shows nothing of it', () => {
    const failure = failureOf(() => secretLine(['LONG'], values));
    expect(failure).toMatchObject({ kind: 'refused', retryable: false });
    expect(failure?.message).toContain('32 KiB');
    expect(failure?.message).not.toContain('vvv');
  });
});
