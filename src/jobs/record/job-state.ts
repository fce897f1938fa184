export const JOB_STATES = [
  'QUEUED',
  'STARTING',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'TIMED_OUT',
  'CANCELLED',
  'LOST',
] as const;
export type JobState = (typeof JOB_STATES)[number];

/**
 * Every step a job may take. Forward only within one attempt; the way back to QUEUED is a retry and comes with the next
 * attempt's number.
 */
export const JOB_TRANSITIONS: Readonly<Record<JobState, readonly JobState[]>> = {
  QUEUED: ['STARTING', 'CANCELLED'],
  STARTING: ['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'CANCELLED', 'LOST', 'QUEUED'],
  RUNNING: ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'CANCELLED', 'LOST', 'QUEUED'],
  SUCCEEDED: [],
  FAILED: [],
  TIMED_OUT: [],
  CANCELLED: [],
  LOST: [],
};

export type TerminalState = 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'CANCELLED' | 'LOST';

export const LIVE_STATES: readonly JobState[] = ['STARTING', 'RUNNING'];

export function isTerminal(state: JobState): state is TerminalState {
  return JOB_TRANSITIONS[state].length === 0;
}

/** The states from which `to` may be reached: the guard in every compare-and-set. */
export function statesBefore(to: JobState): JobState[] {
  return JOB_STATES.filter((from) => JOB_TRANSITIONS[from].includes(to));
}
