/** Above the first the source is asked to pause, below the second to go on; in units of `weight`. */
const HIGH_WATER = 4 * 1024 * 1024;
const LOW_WATER = 1024 * 1024;

/** Between a source that pushes and a consumer that pulls: holds a bounded amount, by pausing the source. */
export class EventQueue<T> {
  private items: { value: T; weight: number }[] = [];
  private weight = 0;
  private isPaused = false;
  private end: { error?: Error } | undefined;
  private wake: () => void = () => {};

  constructor(private readonly setPaused: (paused: boolean) => void) {}

  push(value: T, weight: number): void {
    if (this.end) return;
    this.items.push({ value, weight });
    this.weight += weight;
    if (!this.isPaused && this.weight > HIGH_WATER) this.setPaused((this.isPaused = true));
    this.wake();
  }

  /** What was pushed before is still delivered; then the consumer's loop ends, or throws `error`. */
  close(error?: Error): void {
    this.end ??= { error };
    this.wake();
  }

  /** Ends at once: what was not delivered yet is dropped. */
  abort(error: Error): void {
    this.items = [];
    this.end = { error };
    this.wake();
  }

  async *drain(): AsyncGenerator<T, void, undefined> {
    for (;;) {
      for (let item = this.items.shift(); item; item = this.items.shift()) {
        this.weight -= item.weight;
        if (this.isPaused && this.weight < LOW_WATER) this.setPaused((this.isPaused = false));
        yield item.value;
      }
      if (this.end?.error) throw this.end.error;
      if (this.end) return;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
