import type { JobReason } from '../../jobs/record/job-reason.js';
import type { Outcome } from './outcome.js';

/** Tries of a job whose script never ran because of the platform. */
const MAX_PLATFORM_TRIES = 4;
/** A server that died says nothing about the job, and its next attempt costs nobody anything. */
const MAX_TRIES_AFTER_CRASHES = 20;
/** An engine without room gets some when other jobs end, so more tries are worth it: about 25 minutes of quick refusals. */
const MAX_TRIES_FOR_ROOM = 30;
const MAX_TRIES: Partial<Record<JobReason, number>> = {
  UNSCHEDULABLE: MAX_TRIES_FOR_ROOM,
  ABANDONED: MAX_TRIES_AFTER_CRASHES,
};
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 60_000;

export interface TriesSoFar {
  /** Attempts whose script ran, this one included. */
  started: number;
  /** Attempts whose script never ran, this one included. */
  notStarted: number;
  /** Whether the script of this attempt ran. */
  thisOneStarted: boolean;
  /** What the caller asked for. */
  retries: number;
}

/**
 * How long to wait before the next attempt, in milliseconds; undefined when there is none. Pure. Before the script ran a
 * passing fault of the platform is retried by itself; after it ran only when the caller asked, since a script may have
 * done half its work.
 */
export function retryDelayMs(outcome: Outcome, tries: TriesSoFar): number | undefined {
  if (outcome.state === 'SUCCEEDED' || outcome.state === 'CANCELLED') return undefined;
  if (!tries.thisOneStarted) {
    const maxTries = MAX_TRIES[outcome.reason] ?? MAX_PLATFORM_TRIES;
    const mayRetry = outcome.retryable && tries.notStarted < maxTries;
    return mayRetry ? delayAfter(tries.notStarted) : undefined;
  }
  return tries.started <= tries.retries ? delayAfter(tries.started) : undefined;
}

function delayAfter(tries: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (tries - 1), MAX_DELAY_MS);
}
