import { Inject, Injectable } from '@nestjs/common';
import type { ChildSignal } from '../common/async/abort.js';
import { childSignal, sleep } from '../common/async/abort.js';
import { messageOf } from '../common/app-error.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import { retry } from '../common/async/retry.js';
import { ConsumerLeases } from './consumer-leases.js';
import type { OutboxPosition } from './outbox-change.js';
import { comparePositions } from './outbox-change.js';
import type { OutboxConsumer } from './outbox-consumer.js';
import { OUTBOX_CONSUMERS } from './outbox-consumer.js';
import { OutboxReader } from './outbox-reader.js';

/** Delays of the delivery, in milliseconds. */
export interface DeliveryPace {
  /** Between two looks for changes, and for a lease that another replica has. */
  readonly pollMs: number;
  /** For how long a replica may give a consumer its changes without a renewal; another goes on after so long at most. */
  readonly leaseMs: number;
  readonly renewMs: number;
  /** Before changes that a consumer did not take are given again, doubled each time up to the second. */
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
}

const PACE: DeliveryPace = {
  pollMs: 1_000,
  leaseMs: 15_000,
  renewMs: 4_000,
  firstRetryMs: 1_000,
  maxRetryMs: 60_000,
};

/**
 * Gives every durable consumer the changes of all jobs: at least once, those of one job in order. Each consumer has a
 * loop, a position and a lease of its own, so one that fails for ever keeps no other from going on.
 */
@Injectable()
export class OutboxDelivery {
  protected readonly pace: DeliveryPace = PACE;

  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly reader: OutboxReader,
    private readonly leases: ConsumerLeases,
    @Inject(OUTBOX_CONSUMERS) private readonly consumers: readonly OutboxConsumer[],
  ) {}

  /** Runs until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => this.serveRegularly(consumer, signal)));
  }

  private async serveRegularly(consumer: OutboxConsumer, signal: AbortSignal): Promise<void> {
    const { firstRetryMs: firstMs, maxRetryMs: maxMs, pollMs } = this.pace;
    const onFailure = (error: unknown): void =>
      this.log.warn(
        { consumer: consumer.name, err: messageOf(error) },
        'a consumer cannot be given changes of jobs now; trying again',
      );
    while (!signal.aborted) {
      const serve = (): Promise<void> => this.serve(consumer, signal);
      // It rejects at the stop of the server only.
      await retry(serve, { firstMs, maxMs, onFailure }, signal).catch(() => undefined);
      await sleep(pollMs, signal);
    }
  }

  /** Serves the consumer for as long as this replica has its lease; at once over when another replica has it. */
  private async serve(consumer: OutboxConsumer, signal: AbortSignal): Promise<void> {
    const position = await this.leases.take(consumer.name, this.pace.leaseMs);
    if (!position) return;
    const held = childSignal(signal);
    const renewing = this.renewRegularly(consumer.name, held);
    try {
      await this.deliverAll(consumer, position, held.signal);
    } finally {
      held.abort();
      held.release();
      await renewing;
      // A lease that cannot be given back runs out.
      await this.leases.giveBack(consumer.name).catch(() => undefined);
    }
  }

  private async deliverAll(
    consumer: OutboxConsumer,
    begin: OutboxPosition,
    signal: AbortSignal,
  ): Promise<void> {
    const { name } = consumer;
    for (let position = begin; !signal.aborted;) {
      const { changes, end, isBehind } = await this.reader.read(position);
      if (isBehind) await this.sayLost(name);
      // A consumer that waits for the signal's abort must not be given one that has aborted.
      if (signal.aborted) return;
      if (changes.length > 0) await this.deliver(consumer, changes, signal);
      if (comparePositions(end, position) !== 0 && !(await this.leases.save(name, end))) return;
      position = end;
      if (changes.length === 0) await sleep(this.pace.pollMs, signal);
    }
  }

  private deliver(
    consumer: OutboxConsumer,
    changes: Parameters<OutboxConsumer['deliver']>[0],
    signal: AbortSignal,
  ): Promise<void> {
    const { firstRetryMs: firstMs, maxRetryMs: maxMs } = this.pace;
    const onFailure = (error: unknown): void =>
      this.log.warn(
        { consumer: consumer.name, changes: changes.length, err: messageOf(error) },
        'a consumer did not take changes of jobs; giving them again',
      );
    return retry(() => consumer.deliver(changes, signal), { firstMs, maxMs, onFailure }, signal);
  }

  private async sayLost(name: string): Promise<void> {
    const lost = await this.leases.takeLost(name);
    this.log.error(
      { consumer: name, lost },
      'a consumer was so far behind that changes of jobs were removed before it had them; going on with the oldest',
    );
  }

  /** Ends with `held`, and aborts it when another replica has the lease, or may have it. */
  private async renewRegularly(name: string, held: ChildSignal): Promise<void> {
    const { renewMs, leaseMs } = this.pace;
    for (let renewedAtMs = performance.now(); ;) {
      await sleep(renewMs, held.signal);
      if (held.signal.aborted) return;
      const askedAtMs = performance.now();
      try {
        if (!(await this.leases.renew(name, leaseMs))) return held.abort(new Error('the lease is another’s'));
        renewedAtMs = askedAtMs;
      } catch {
        // Until the lease has run out the next renewal may succeed.
        if (performance.now() - renewedAtMs > leaseMs) return held.abort(new Error('the lease has run out'));
      }
    }
  }
}
