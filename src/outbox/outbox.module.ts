import { Module } from '@nestjs/common';
import { ConsumerLeases } from './consumer-leases.js';
import { OutboxBounds } from './outbox-bounds.js';
import type { OutboxConsumer } from './outbox-consumer.js';
import { OUTBOX_CONSUMERS } from './outbox-consumer.js';
import { OutboxDelivery } from './outbox-delivery.js';
import { OutboxLoops } from './outbox-loops.js';
import { OutboxReader } from './outbox-reader.js';

/** Every durable consumer of this service. */
const CONSUMERS: readonly OutboxConsumer[] = [];

@Module({
  providers: [
    { provide: OUTBOX_CONSUMERS, useValue: CONSUMERS },
    ConsumerLeases,
    OutboxBounds,
    OutboxDelivery,
    OutboxLoops,
    OutboxReader,
  ],
  exports: [OutboxReader],
})
export class OutboxModule {}
