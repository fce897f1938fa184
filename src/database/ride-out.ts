import { Backoff } from '../common/async/abort.js';
import { DatabaseUnavailableError } from './database.errors.js';

/** A restart of a database server takes seconds. A caller who still waits after this gets the error, and may come back. */
const PATIENCE_MS = 60_000;

/** Repeats a read while the database is away, for a caller who waits for changes anyway. Not for writes. */
export async function rideOut<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const backoff = new Backoff(100, 2_000);
  const startedAtMs = performance.now();
  for (;;) {
    try {
      return await read();
    } catch (error) {
      const isOver = signal.aborted || performance.now() - startedAtMs > PATIENCE_MS;
      if (!(error instanceof DatabaseUnavailableError) || isOver) throw error;
      await backoff.wait(signal);
    }
  }
}
