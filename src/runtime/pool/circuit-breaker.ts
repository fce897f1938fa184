const FIRST_MS = 1_000;
const LONGEST_MS = 5 * 60_000;
/** What fails sooner after a success has not been mended by it: workers that die as soon as they wait, for example. */
const CALM_MS = 60_000;

/** Keeps what fails again and again from being tried all the time. */
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
   * Returns how long nothing is tried now, milliseconds, with jitter: it doubles with every failure, and failures that
   * come together (all workers end with their engine) are one.
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

  /** None for a clock that has been set back: nobody knows how long ago the failure was. */
  private pauseLeftMs(nowMs: number): number {
    return nowMs < this.failedAtMs ? 0 : Math.max(0, this.failedAtMs + this.delayMs - nowMs);
  }
}
