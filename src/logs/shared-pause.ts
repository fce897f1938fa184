/** A pause that a crowd takes together: all go on at one moment, from one position, and can be given the same object. */
export class SharedPause {
  private readonly waiting = new Set<() => void>();
  private timer: NodeJS.Timeout | undefined;

  /** @param prepare called before anybody goes on; must not reject. */
  constructor(private readonly prepare: () => Promise<void>) {}

  /** Resolves at the end of the pause, which lasts `ms` from its first waiter on, or when `signal` aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const goOn = (): void => {
        this.waiting.delete(goOn);
        signal.removeEventListener('abort', goOn);
        resolve();
      };
      this.waiting.add(goOn);
      signal.addEventListener('abort', goOn, { once: true });
      this.timer ??= setTimeout(() => void this.end(), ms);
    });
  }

  /** Ends the pause now, for all. */
  close(): void {
    clearTimeout(this.timer);
    this.release();
  }

  private async end(): Promise<void> {
    if (this.waiting.size > 0) await this.prepare();
    this.release();
  }

  private release(): void {
    this.timer = undefined;
    for (const goOn of [...this.waiting]) goOn();
  }
}
