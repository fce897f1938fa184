import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../database/database.js';
import type { OutboxPosition } from './outbox-change.js';

type Shared = Pick<Database, 'isShared'>;

/** The oldest transaction of the PostgreSQL server that has written something and not ended. */
export const XMIN = sql<number>`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`;

/**
 * The rows before which no other can come to be any more. PostgreSQL gives out numbers before it commits: without this
 * a reader would pass a number whose transaction ends later, and miss it.
 */
export function isSettled({ isShared }: Shared): RawBuilder<boolean> {
  return isShared ? sql<boolean>`xid < ${XMIN}` : sql<boolean>`1 = 1`;
}

export function isBehind({ isShared }: Shared, { xid, seq }: OutboxPosition): RawBuilder<boolean> {
  return isShared ? sql<boolean>`(xid, seq) > (${xid}, ${seq})` : sql<boolean>`seq > ${seq}`;
}

export function isUpTo({ isShared }: Shared, { xid, seq }: OutboxPosition): RawBuilder<boolean> {
  return isShared ? sql<boolean>`(xid, seq) <= (${xid}, ${seq})` : sql<boolean>`seq <= ${seq}`;
}

/** For `order by`: as the key of the table has it. */
export function inOrder({ isShared }: Shared): RawBuilder<unknown> {
  return isShared ? sql`xid, seq` : sql`seq`;
}
