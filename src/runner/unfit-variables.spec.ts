import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { UNFIT_VARIABLES, isUnfit } from './unfit-variables.js';

describe('the variables that are unfit for a worker', () => {
  it('are those of the contract', () => {
    const contract = readFileSync('docs/runner-contract.md', 'utf8');
    const table = contract.slice(
      contract.indexOf('<!-- the same list'),
      contract.indexOf('A server picks jobs'),
    );
    const rows = table.split('\n').filter((line) => line.startsWith('| `'));
    const names = rows.flatMap((row) =>
      [...row.split('|')[1]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
    );
    expect([...UNFIT_VARIABLES].sort()).toEqual(names.sort());
  });

  it('match whole names, or beginnings where a star stands', () => {
    expect(['HOME', 'LD_PRELOAD', 'MPLBACKEND', 'TZ'].map(isUnfit)).toEqual([true, true, true, true]);
    expect(['HOMETOWN', 'OLD_PATH', 'ATZ', 'TEMPO'].map(isUnfit)).toEqual([false, false, false, false]);
  });
});
