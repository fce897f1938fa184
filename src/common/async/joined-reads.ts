/**
 * Joins equal reads that are asked for at the same moment: a crowd that wakes up together asks the database once. A read
 * begins after everybody it serves has asked, so nobody gets what was true before.
 */
export class JoinedReads {
  private readonly asked = new Map<string, Promise<unknown>>();

  /** The same `key` must always mean the same `read`. */
  read<T>(key: string, read: () => Promise<T>): Promise<T> {
    const known = this.asked.get(key) as Promise<T> | undefined;
    if (known) return known;
    const reading = untilAllHaveAsked().then(() => {
      this.asked.delete(key);
      return read();
    });
    this.asked.set(key, reading);
    return reading;
  }
}

/** After the timers and promises that are due now. */
function untilAllHaveAsked(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
