const FIRST_MS = 1_000;
const LONGEST_MS = 5 * 60_000;

/** Keeps what fails again and again from being tried all the time. */
export class CircuitBreaker {
  private failures = 0;
  private closedAgainAtMs = 0;
  private why: string | undefined;

  /** What is wrong; undefined when nothing is. */
  get message(): string | undefined {
    return this.why;
  }

  /** How many tries may be under way at `nowMs`: none after a failure, then one at a time until one succeeds. */
  allowance(nowMs: number, normally: number): number {
    if (this.failures === 0) return normally;
    return nowMs < this.closedAgainAtMs ? 0 : 1;
  }

  succeed(): void {
    this.failures = 0;
    this.why = undefined;
  }

  /** Returns how long nothing is tried now, milliseconds: it doubles with every failure, with jitter. */
  fail(nowMs: number, why: string): number {
    const delayMs = Math.min(FIRST_MS * 2 ** this.failures, LONGEST_MS) * (0.75 + Math.random() / 4);
    this.failures = Math.min(this.failures + 1, 20);
    this.closedAgainAtMs = nowMs + delayMs;
    this.why = why;
    return delayMs;
  }
}
