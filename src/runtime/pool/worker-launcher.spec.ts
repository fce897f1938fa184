import { describe, expect, it } from '@jest/globals';
import { exitText } from './worker-launcher.js';

describe('the end of a worker that never had a job', () => {
  const ended = (exitCode: number, oomKilled = false): string =>
    exitText({ kind: 'exited', exitCode, oomKilled });

  it('says what the runner’s own codes mean, and what mends it', () => {
    expect(ended(117)).toMatch(/^exit code 117\. The network did not close, .*network-policy\.yaml/);
    expect(ended(123)).toBe('exit code 123. The runner failed.');
  });

  it('says the code alone where it is not one of those', () => {
    expect([ended(3), ended(137, true)]).toEqual(['exit code 3', 'exit code 137, out of memory']);
  });
});
