import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { retry } from '../../common/async/retry.js';
import { StaleFenceError } from '../../jobs/record/job.errors.js';

/**
 * Repeats a fenced write until the database takes it: what became of a job must not be lost because the database was
 * away or its disk full for a while. A stale fence ends it, since somebody else owns the job then; so does `signal`.
 */
export function persist<T>(what: string, write: () => Promise<T>, log: Log, signal: AbortSignal): Promise<T> {
  return retry(
    write,
    {
      firstMs: 200,
      maxMs: 10_000,
      isFinal: (error) => error instanceof StaleFenceError,
      onFailure: (error) =>
        log.error({ err: messageOf(error), what }, 'the database did not take a write; trying again'),
    },
    signal,
  );
}
