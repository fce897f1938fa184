import { Inject, Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import { sql } from 'kysely';
import { sleep } from '../common/async/abort.js';
import { messageOf } from '../common/app-error.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import { OutboxConfig } from '../config/parts/outbox-config.js';
import { Database } from '../database/database.js';
import type { Tables } from '../database/tables.js';
import type { OutboxPosition } from './outbox-change.js';
import { comparePositions } from './outbox-change.js';
import { inOrder, isSettled, isUpTo } from './outbox-order.js';

const EVERY_MS = 60_000;
/** Rows of one transaction. */
const STEP_ROWS = 500;
/** Between two steps the database and the event loop are free for everything else. */
const PAUSE_MS = 20;

/** Removes the oldest changes beyond the bounds, in small steps, whether or not everybody has read them. */
@Injectable()
export class OutboxBounds {
  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly database: Database,
    private readonly config: OutboxConfig,
  ) {}

  /** Runs until `signal` aborts. Never rejects. */
  async keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // First a pause: a server that starts has more urgent things to do.
      await sleep(EVERY_MS * (0.5 + Math.random() / 2), signal);
      try {
        if (!signal.aborted) await this.enforce(signal);
      } catch (error) {
        if (!signal.aborted)
          this.log.warn(
            { err: messageOf(error) },
            'old changes of jobs could not be removed; trying again later',
          );
      }
    }
  }

  /** Returns how many rows were removed. */
  async enforce(signal: AbortSignal): Promise<number> {
    let sum = 0;
    while (!signal.aborted) {
      const removed = await this.database.essential(() =>
        this.database.db.transaction().execute((tx) => this.removeStep(tx)),
      );
      sum += removed;
      if (removed < STEP_ROWS) break;
      await sleep(PAUSE_MS, signal);
    }
    return sum;
  }

  private async removeStep(tx: Transaction<Tables>): Promise<number> {
    const { isShared } = this.database;
    // Replicas take turns: each counts what the one before it left.
    const mark = tx.selectFrom('outbox_removed').select('id');
    await (isShared ? mark.forUpdate() : mark).execute();
    const { count } = await tx
      .selectFrom('outbox')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    const oldest = await tx
      .selectFrom('outbox')
      .select(['xid', 'seq', sql<number>`${this.database.now()} - at`.as('age_ms')])
      .where(isSettled(this.database))
      .orderBy(inOrder(this.database))
      .limit(STEP_ROWS)
      .execute();
    const beyond = Number(count) - this.config.OUTBOX_MAX_ROWS;
    const maxAgeMs = this.config.OUTBOX_MAX_AGE_SECONDS * 1000;
    const firstKept = oldest.findIndex(({ age_ms }, at) => at >= beyond && Number(age_ms) <= maxAgeMs);
    const removed = firstKept === -1 ? oldest : oldest.slice(0, firstKept);
    const last = removed.at(-1);
    if (last) {
      const { xid, seq } = last;
      await tx.deleteFrom('outbox').where(isUpTo(this.database, last)).execute();
      await tx.updateTable('outbox_removed').set({ xid, seq }).execute();
      await noteLost(tx, removed);
    }
    return removed.length;
  }
}

/** Adds to each durable consumer what it had not been given. */
async function noteLost(tx: Transaction<Tables>, removed: readonly OutboxPosition[]): Promise<void> {
  for (const consumer of await tx.selectFrom('outbox_consumers').select(['name', 'xid', 'seq']).execute()) {
    const lost = removed.filter((row) => comparePositions(row, consumer) > 0).length;
    if (lost > 0)
      await tx
        .updateTable('outbox_consumers')
        .set((eb) => ({ lost: eb('lost', '+', lost) }))
        .where('name', '=', consumer.name)
        .execute();
  }
}
