/** A lower rate counts as 0: the decaying average never gets there, and one worker would wait for hours. */
const LEAST_WANTED = 0.01;

/** Jobs of the last half minute or so weigh most. */
const MEMORY_MS = 30_000;

/** How often jobs come, as a decaying average. */
export class ArrivalRate {
  private weight = 0;
  private atMs = 0;

  /** Times are milliseconds of one clock. */
  record(nowMs: number): void {
    this.weight = this.decayed(nowMs) + 1;
    this.atMs = nowMs;
  }

  /** Jobs per second. */
  perSecond(nowMs: number): number {
    return (this.decayed(nowMs) / MEMORY_MS) * 1000;
  }

  private decayed(nowMs: number): number {
    return this.weight * Math.exp(-Math.max(0, nowMs - this.atMs) / MEMORY_MS);
  }
}

/**
 * How many workers are to wait: twice as many as jobs come while one worker gets ready, since jobs come in groups; within
 * the bounds. Pure.
 */
export function targetSize(
  bounds: { readonly min: number; readonly max: number },
  jobsPerSecond: number,
  secondsToFill: number,
): number {
  const wanted = Math.ceil(jobsPerSecond * secondsToFill * 2 - LEAST_WANTED);
  return Math.min(bounds.max, Math.max(bounds.min, wanted));
}
