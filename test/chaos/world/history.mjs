/**
 * Everything that was seen, in the order in which it was: what the checker judges.
 *
 * @typedef {object} HistoryEvent
 * @property {number} atMs milliseconds since the run began
 * @property {string} type
 * @property {string} [jobId]
 */
export class History {
  /** @type {HistoryEvent[]} */
  events = [];
  #startedAt = performance.now();
  #listeners = new Set();

  get nowMs() {
    return Math.round(performance.now() - this.#startedAt);
  }

  /** @returns {HistoryEvent} */
  add(type, details = {}) {
    const event = { atMs: this.nowMs, type, ...details };
    this.events.push(event);
    for (const listener of this.#listeners) listener(event);
    return event;
  }

  /** Calls `listener` with each event from now on. Returns how to stop. */
  onEvent(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The first event from now on that `matches`, or undefined after `patienceMs`. */
  waitFor(matches, patienceMs) {
    return new Promise((resolve) => {
      const done = (event) => {
        clearTimeout(timer);
        off();
        resolve(event);
      };
      const timer = setTimeout(done, patienceMs);
      const off = this.onEvent((event) => matches(event) && done(event));
    });
  }
}
