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

/** The job's other attempts, and what its caller asked for. */
export interface EarlierTries {
  /** Attempts whose script ran. */
  readonly started: number;
  /** Attempts whose script never ran. */
  readonly notStarted: number;
  readonly retries: number;
}

/**
 * How long to wait before the next attempt, in milliseconds; undefined when there is none. Pure. `started` says whether
 * the script of the attempt that is over ran or may have run. Before the script ran a
 * passing fault of the platform is retried by itself; after it ran only when the caller asked, since a script may have
 * done half its work.
 */
export function retryDelayMs(outcome: Outcome, started: boolean, earlier: EarlierTries): number | undefined {
  if (outcome.state === 'SUCCEEDED' || outcome.state === 'CANCELLED') return undefined;
  const tries = 1 + (started ? earlier.started : earlier.notStarted);
  if (started) return tries <= earlier.retries ? delayAfter(tries) : undefined;
  const maxTries = MAX_TRIES[outcome.reason] ?? MAX_PLATFORM_TRIES;
  return outcome.retryable && tries < maxTries ? delayAfter(tries) : undefined;
}

function delayAfter(tries: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (tries - 1), MAX_DELAY_MS);
}
