import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** How long to try, milliseconds. A safety bound: a passing test does not come near it. */
  deadlineMs?: number;
  /** What is waited for, and what is seen at the moment; called for the message of a failure. */
  describe?: () => string;
}

const POLL_MS = 20;

/**
 * Calls `condition` until it returns something truthy, and returns that. What it throws counts as "not yet"; the last
 * of it is in the message of the failure.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { deadlineMs = 60_000, describe = () => 'the condition' }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const until = Date.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const seen = await condition();
      if (seen) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until) break;
    await delay(POLL_MS);
  }
  throw new Error(`${describe()} did not come true in ${deadlineMs} ms; last seen: ${String(last)}`);
}
