/** How many workers start at the same time; fewer while jobs come, which go first. */
const FILLS = 2;
const FILLS_WHILE_BUSY = 1;
const BUSY_MS = 1_000;
/** A worker's successor comes a moment later: starting one takes the CPU that the job needs for its first line. */
export const REFILL_DELAY_MS = 250;

/** When workers may be started while jobs come. Times are milliseconds of one clock, which may be set back. */
export class RefillPace {
  private lastArrivalAtMs = 0;
  /** Until when nothing is started, because a worker has just been taken. */
  private quietUntilMs = 0;

  /**
   * Notes that a job has come. True when a pause of REFILL_DELAY_MS begins with it. None begins during a pause or soon
   * after one, since jobs that come all the time must not keep the pool empty.
   */
  noteArrival(nowMs: number): boolean {
    this.lastArrivalAtMs = nowMs;
    if (this.isQuiet(nowMs) || this.isQuiet(nowMs - REFILL_DELAY_MS)) return false;
    this.quietUntilMs = nowMs + REFILL_DELAY_MS;
    return true;
  }

  /** Bounded: after the clock has been set back a pause must not last for ever. */
  isQuiet(nowMs: number): boolean {
    return nowMs < this.quietUntilMs && nowMs >= this.quietUntilMs - REFILL_DELAY_MS;
  }

  /** How many workers may be starting at once. */
  startsAtOnce(nowMs: number): number {
    return nowMs - this.lastArrivalAtMs < BUSY_MS ? FILLS_WHILE_BUSY : FILLS;
  }
}
