import { Backoff } from './abort.js';

export interface RetryOptions {
  /** The delay after the first failure; it doubles up to `maxMs`, with the jitter of `Backoff`. */
  firstMs: number;
  maxMs: number;
  /** Whether `error` ends it: it is thrown as it is, also when the signal has aborted. Without this no error does. */
  isFinal?: (error: unknown) => boolean;
  /** Called before each delay, and not for an error that ends it: for the caller's line in the log. */
  onFailure: (error: unknown) => void;
}

/**
 * Repeats `work` until it succeeds or fails for good. When `signal` aborts it rejects with the signal's reason, at once
 * if it waits. The signal does not interrupt `work` and does not prevent its first try.
 */
export async function retry<T>(
  work: () => Promise<T>,
  { firstMs, maxMs, isFinal, onFailure }: RetryOptions,
  signal: AbortSignal,
): Promise<T> {
  const backoff = new Backoff(firstMs, maxMs);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (isFinal?.(error)) throw error;
      signal.throwIfAborted();
      onFailure(error);
      await backoff.wait(signal);
      signal.throwIfAborted();
    }
  }
}
