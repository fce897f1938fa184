/**
 * A place in the outbox, behind which a reader goes on. On PostgreSQL places are ordered by the number of the writing
 * transaction first; on SQLite, which has one writer at a time, `xid` is 0.
 */
export interface OutboxPosition {
  readonly xid: number;
  readonly seq: number;
}

/** A change of a job: what the job was after it. It holds nothing that was submitted or written by a script. */
export interface OutboxChange {
  readonly jobId: string;
  readonly tenant: string;
  readonly state: string;
  readonly attempt: number;
  readonly isCancelRequested: boolean;
  /** Milliseconds since 1970 on the database's clock, before the commit. */
  readonly atMs: number;
}

export interface OutboxBatch {
  /** In order, the changes of one job above all. */
  readonly changes: readonly OutboxChange[];
  /** Where to go on. */
  readonly end: OutboxPosition;
  /** Changes behind the position that was asked for were removed before they could be read. */
  readonly isBehind: boolean;
  /** There are changes that may not be read yet: a transaction that began before theirs has not ended. */
  readonly hasUnsettled: boolean;
}

/** Negative when `a` comes before `b`. */
export function comparePositions(a: OutboxPosition, b: OutboxPosition): number {
  return a.xid - b.xid || a.seq - b.seq;
}
