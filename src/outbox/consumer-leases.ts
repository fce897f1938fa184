import { Injectable } from '@nestjs/common';
import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import { newId } from '../common/ids.js';
import { Database } from '../database/database.js';
import type { OutboxPosition } from './outbox-change.js';
import { OutboxReader } from './outbox-reader.js';

/** Which replica gives a durable consumer its changes, and up to where it has them. Leases go by the database's clock. */
@Injectable()
export class ConsumerLeases {
  /** This process, as the owner of leases. */
  private readonly owner = newId();

  constructor(
    private readonly database: Database,
    private readonly reader: OutboxReader,
  ) {}

  /** Takes the lease of a consumer that nobody serves: where to go on. Undefined while another replica has it. */
  async take(name: string, leaseMs: number): Promise<OutboxPosition | undefined> {
    const known = await this.database.db
      .selectFrom('outbox_consumers')
      .select('name')
      .where('name', '=', name)
      .executeTakeFirst();
    if (!known) await this.register(name);
    const now = this.database.now();
    return this.database.db
      .updateTable('outbox_consumers')
      .set({ owner: this.owner, lease_until: this.until(leaseMs) })
      .where('name', '=', name)
      .where((eb) =>
        eb.or([eb('owner', 'is', null), eb('owner', '=', this.owner), eb('lease_until', '<', now)]),
      )
      .returning(['xid', 'seq'])
      .executeTakeFirst();
  }

  private async register(name: string): Promise<void> {
    await this.database.db
      .insertInto('outbox_consumers')
      .values({ name, ...(await this.reader.head()), owner: null, lease_until: null })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
  }

  /** False when another replica has the lease. */
  async renew(name: string, leaseMs: number): Promise<boolean> {
    return this.write(name, { lease_until: this.until(leaseMs) });
  }

  /** Notes that everything up to `position` was delivered. False when another replica has the lease: it goes on. */
  async save(name: string, { xid, seq }: OutboxPosition): Promise<boolean> {
    return this.write(name, { xid, seq });
  }

  /** Another replica may go on at once. */
  async giveBack(name: string): Promise<void> {
    await this.write(name, { owner: null, lease_until: null });
  }

  /** How many changes the consumer lost, at most, since it was asked last. */
  async takeLost(name: string): Promise<number> {
    return this.database.db.transaction().execute(async (tx) => {
      const row = await tx
        .selectFrom('outbox_consumers')
        .select('lost')
        .where('name', '=', name)
        .$if(this.database.isShared, (query) => query.forUpdate())
        .executeTakeFirst();
      await tx.updateTable('outbox_consumers').set({ lost: 0 }).where('name', '=', name).execute();
      return row?.lost ?? 0;
    });
  }

  private async write(
    name: string,
    values: {
      xid?: number;
      seq?: number;
      owner?: null;
      lease_until?: RawBuilder<number> | null;
    },
  ): Promise<boolean> {
    const result = await this.database.db
      .updateTable('outbox_consumers')
      .set(values)
      .where('name', '=', name)
      .where('owner', '=', this.owner)
      .executeTakeFirst();
    return Number(result.numUpdatedRows) === 1;
  }

  private until(leaseMs: number): RawBuilder<number> {
    return sql<number>`${this.database.now()} + ${sql.lit(leaseMs)}`;
  }
}
