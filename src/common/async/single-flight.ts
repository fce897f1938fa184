/** Work that runs once at a time: calls that come while it runs share its result, or its error. */
export class SingleFlight<T> {
  private flight: Promise<T> | undefined;

  constructor(private readonly work: () => Promise<T>) {}

  /** What runs now; undefined when nothing does. It is over before anybody who shares it goes on. */
  get current(): Promise<T> | undefined {
    return this.flight;
  }

  run(): Promise<T> {
    this.flight ??= this.work().finally(() => (this.flight = undefined));
    return this.flight;
  }
}

/** Work that runs once at a time for each key: calls for one key share it, those for others do not wait for it. */
export class KeyedSingleFlight<T> {
  private readonly flights = new Map<string, Promise<T>>();

  /** What runs now, for whatever key. */
  get current(): Promise<T>[] {
    return [...this.flights.values()];
  }

  /** The `work` of the first call is done for all that share it. */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const known = this.flights.get(key);
    if (known) return known;
    const flight = work().finally(() => this.flights.delete(key));
    this.flights.set(key, flight);
    return flight;
  }
}
