const FIRST_MS = 1_000;
const LONGEST_MS = 5 * 60_000;
/** Success must last this long to reset the count of failures: workers may come up and die as soon as they wait. */
const CALM_MS = 60_000;

/** Spaces out the tries of something that fails again and again. */
export class CircuitBreaker {
  private failures = 0;
  private failedAtMs = 0;
  private delayMs = 0;
  private calmSinceMs: number | undefined;
  private why: string | undefined;

  /** What is wrong; undefined when nothing is. */
  get message(): string | undefined {
    return this.why;
  }

  /** How many tries may be under way at `nowMs`: none after a failure, then one at a time until one succeeds. */
  allowance(nowMs: number, normally: number): number {
    if (this.pauseLeftMs(nowMs) > 0) return 0;
    return this.why === undefined ? normally : 1;
  }

  succeed(nowMs: number): void {
    this.why = undefined;
    this.calmSinceMs ??= nowMs;
  }

  /**
   * Returns for how long nothing is tried, milliseconds, with jitter. The time doubles with every failure. Failures that
   * come together count as one: all workers end with their engine.
   */
  fail(nowMs: number, why: string): number {
    this.why = why;
    const leftMs = this.pauseLeftMs(nowMs);
    if (leftMs > 0) return leftMs;
    if (this.calmSinceMs !== undefined && nowMs - this.calmSinceMs >= CALM_MS) this.failures = 0;
    this.calmSinceMs = undefined;
    this.delayMs = Math.min(FIRST_MS * 2 ** this.failures, LONGEST_MS) * (0.75 + Math.random() / 4);
    this.failures = Math.min(this.failures + 1, 20);
    this.failedAtMs = nowMs;
    return this.delayMs;
  }

  /** No wait after the clock has been set back: it is not known how long ago the failure was. */
  private pauseLeftMs(nowMs: number): number {
    return nowMs < this.failedAtMs ? 0 : Math.max(0, this.failedAtMs + this.delayMs - nowMs);
  }
}
