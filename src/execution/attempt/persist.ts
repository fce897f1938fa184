import { Backoff } from '../../common/abort.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { StaleFenceError } from '../../jobs/record/job.errors.js';

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 10_000;

/**
 * Repeats a fenced write until the database takes it: what became of a job must not be lost because the database was
 * away or its disk full for a while. A stale fence ends it, since somebody else owns the job then; so does `signal`.
 */
export async function persist<T>(
  what: string,
  write: () => Promise<T>,
  log: Log,
  signal: AbortSignal,
): Promise<T> {
  const backoff = new Backoff(FIRST_DELAY_MS, MAX_DELAY_MS);
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (error instanceof StaleFenceError) throw error;
      signal.throwIfAborted();
      log.error({ err: messageOf(error), what }, 'the database did not take a write; trying again');
      await backoff.wait(signal);
      signal.throwIfAborted();
    }
  }
}
