import { ApiError, ConnectionError } from './api-error.js';
import type { JobLogEvent } from './api-types.js';
import { backoffMs, sleepOrThrow } from './backoff.js';
import type { SocketOptions } from './log-subscription.js';
import { subscribeToLogs } from './log-subscription.js';

export interface FollowOptions extends SocketOptions {
  jobId: string;
  /** Begin behind this cursor; from the start where it is not given. */
  after?: string;
  signal?: AbortSignal;
  /** How long to go on without hearing anything, in milliseconds; for ever where it is not given. */
  patienceMs?: number;
  /** Told about each break, before the wait, with how many came before it without a word in between. */
  onBreak?: (fault: Error, failures: number) => void;
  /** The wait before the next try, in milliseconds, after so many failures in a row. */
  waitMs?: (failures: number) => number;
}

/** Answers that another time may be different, and how often they are believed to be. */
const PASSING_CODES = new Set([
  'INTERNAL_SERVER_ERROR',
  'RATE_LIMITED',
  'QUEUE_FULL',
  'RUNTIME_UNAVAILABLE',
  'DATABASE_UNAVAILABLE',
]);
const MAX_PASSING_FAULTS = 5;

/**
 * A job's log: what is there, then what comes, then one last event with `job`. Every chunk comes exactly once, over any
 * number of broken connections and restarts of the service: after each the subscription begins behind the last cursor.
 *
 * @throws ApiError when the service refuses for good (bad token, no such job, bad cursor), ConnectionError when
 *   `patienceMs` is over, the signal's reason when it is aborted.
 */
export async function* followJobLogs(options: FollowOptions): AsyncGenerator<JobLogEvent, void, undefined> {
  const { jobId, signal, patienceMs = Infinity, waitMs = backoffMs } = options;
  let after = options.after;
  let failures = 0;
  let heardAt = Date.now();
  for (;;) {
    try {
      for await (const event of subscribeToLogs(options, { jobId, after }, signal)) {
        failures = 0;
        after = event.chunks.at(-1)?.cursor ?? after;
        yield event;
        if (event.job) return;
        // A slow consumer is no silence.
        heardAt = Date.now();
      }
      throw new ConnectionError('The service ended the subscription before the job had ended.');
    } catch (error) {
      if (signal?.aborted || !isPassing(error, failures) || Date.now() - heardAt > patienceMs) throw error;
      options.onBreak?.(error, failures);
      const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
      await sleepOrThrow(Math.max(asked, waitMs(failures++)), signal);
    }
  }
}

function isPassing(error: unknown, failures: number): error is ApiError | ConnectionError {
  if (error instanceof ConnectionError) return true;
  return error instanceof ApiError && PASSING_CODES.has(error.code) && failures < MAX_PASSING_FAULTS;
}
