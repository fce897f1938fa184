import type { OutboxChange } from './outbox-change.js';

/**
 * Somebody who must hear of every change, also of those that were made while no server ran: its position is in the
 * database. One replica at a time gives it the changes.
 */
export interface OutboxConsumer {
  /** Its position goes by this name, for ever. A new name begins with the changes from then on. */
  readonly name: string;
  /**
   * Takes some changes, in order. It resolves when they need not be given again; when it rejects, it is given the same
   * ones later, and no others before. After a crash some are given again, perhaps by another replica, so whatever it does
   * must bear repetition. `signal` aborts when the server stops or another replica may give the changes now.
   */
  deliver(changes: readonly OutboxChange[], signal: AbortSignal): Promise<void>;
}

/** Injection token of all durable consumers: `readonly OutboxConsumer[]`. */
export const OUTBOX_CONSUMERS = Symbol('OUTBOX_CONSUMERS');
