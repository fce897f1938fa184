/** The time, injected so that tests can set it. */
export abstract class Clock {
  /** Wall time, milliseconds since 1970 UTC. */
  abstract nowMs(): number;
}

export class SystemClock extends Clock {
  override nowMs(): number {
    return Date.now();
  }
}
