import { describe, expect, it } from '@jest/globals';
import { isUnfit } from './unfit-variables.js';

describe('the variables that are unfit for a worker', () => {
  it('match whole names, or beginnings where a star stands', () => {
    expect(['HOME', 'LD_PRELOAD', 'MPLBACKEND', 'TZ'].map(isUnfit)).toEqual([true, true, true, true]);
    expect(['HOMETOWN', 'OLD_PATH', 'ATZ', 'TEMPO'].map(isUnfit)).toEqual([false, false, false, false]);
  });
});
