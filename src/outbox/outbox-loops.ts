import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { settledWithin } from '../common/async/abort.js';
import { Database } from '../database/database.js';
import { OutboxBounds } from './outbox-bounds.js';
import { OutboxDelivery } from './outbox-delivery.js';

/** How long a stopping server waits for consumers that have changes in hand. They are given those again. */
const STOP_PATIENCE_MS = 5_000;

/** What goes on in the background for the outbox. */
@Injectable()
export class OutboxLoops implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly delivery: OutboxDelivery,
    private readonly bounds: OutboxBounds,
  ) {}

  onApplicationBootstrap(): void {
    const { signal } = this.stopping;
    this.running = this.database
      .whenOpen(signal)
      .then(() => Promise.all([this.delivery.run(signal), this.bounds.keep(signal)]));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort(new Error('the server is stopping'));
    await settledWithin(this.running, STOP_PATIENCE_MS);
  }
}
