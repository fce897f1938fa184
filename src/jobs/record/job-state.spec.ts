import { describe, expect, it } from '@jest/globals';
import { JOB_STATES, JOB_TRANSITIONS, isTerminal, statesBefore } from './job-state.js';
import type { JobState } from './job-state.js';

describe('the states of a job', () => {
  it('are all reachable from QUEUED', () => {
    const reached = new Set<JobState>(['QUEUED']);
    for (const state of reached) for (const next of JOB_TRANSITIONS[state]) reached.add(next);
    expect([...reached].sort()).toEqual([...JOB_STATES].sort());
  });

  it('have no way out of a terminal one, and a way out of every other', () => {
    const terminal = JOB_STATES.filter(isTerminal);
    expect(terminal).toEqual(['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'CANCELLED', 'LOST']);
    for (const state of JOB_STATES)
      expect(JOB_TRANSITIONS[state].length > 0).toBe(!terminal.includes(state as never));
  });

  it('never skip the start: what runs or ends by itself was started', () => {
    for (const state of ['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'LOST'] as const)
      expect(statesBefore(state)).not.toContain('QUEUED');
  });
});
