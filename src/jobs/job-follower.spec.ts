import { describe, expect, it } from '@jest/globals';
import { DEFAULT_TENANT } from '../common/principal.js';
import type { Principal } from '../common/principal.js';
import type { Database } from '../database/database.js';
import type { OutboxBatch, OutboxPosition } from '../outbox/outbox-change.js';
import type { OutboxReader } from '../outbox/outbox-reader.js';
import { JobFollower } from './job-follower.js';
import type { JobService } from './job.service.js';
import { JobEvents } from './record/job-events.js';
import { SubscriberBehindError } from './record/job.errors.js';
import type { JobRepository } from './store/job.repository.js';

const READER: Principal = { name: 'test', tenant: DEFAULT_TENANT, scopes: new Set(['jobs:read']) };

/** An outbox of `[jobId]` rows whose positions are their places. */
class FakeOutbox {
  readonly rows: string[] = [];
  removed = 0;
  /** So many reads find rows that may not be read yet. */
  unsettledReads = 0;

  head(): Promise<OutboxPosition> {
    return Promise.resolve({ xid: 0, seq: this.rows.length });
  }

  read({ seq }: OutboxPosition): Promise<OutboxBatch> {
    const end = this.unsettledReads-- > 0 ? seq : Math.min(this.rows.length, seq + 2);
    const changes = this.rows.slice(seq, end).map((jobId) => ({
      jobId,
      tenant: DEFAULT_TENANT,
      state: 'QUEUED',
      attempt: 0,
      isCancelRequested: false,
      atMs: 0,
    }));
    return Promise.resolve({
      changes,
      end: { xid: 0, seq: end },
      isBehind: seq < this.removed,
      hasUnsettled: end < this.rows.length,
    });
  }
}

describe('a follower of all jobs', () => {
  const outbox = (): {
    box: FakeOutbox;
    events: JobEvents;
    follow: (signal?: AbortSignal) => AsyncGenerator<string>;
  } => {
    const box = new FakeOutbox();
    const events = new JobEvents();
    const repository = {
      findMatching: (_: Principal, ids: string[]) => Promise.resolve(ids.map((id) => ({ id }))),
    };
    const follower = new JobFollower(
      {} as JobService,
      repository as unknown as JobRepository,
      events,
      { recheckMs: 3_600_000 } as Database,
      box as unknown as OutboxReader,
    );
    async function* follow(signal = new AbortController().signal): AsyncGenerator<string> {
      for await (const { id } of follower.followAll(READER, {}, signal)) yield id;
    }
    return { box, events, follow };
  };

  const next = async (seen: AsyncGenerator<string>): Promise<string | undefined> =>
    (await seen.next()).value as string | undefined;

  it('is told of what changes from its beginning on, woken by a hint about whatever job', async () => {
    const { box, events, follow } = outbox();
    box.rows.push('before');
    const seen = follow();
    const first = next(seen);
    await new Promise(setImmediate);
    box.rows.push('a', 'a', 'b', 'c');
    events.publishRemote('another');
    expect([await first, await next(seen), await next(seen)]).toEqual(['a', 'b', 'c']);
    const later = next(seen);
    await new Promise(setImmediate);
    box.rows.push('d');
    events.publishUnknownRemote();
    expect(await later).toBe('d');
  });

  it('waits for changes that may not be read yet without a hint', async () => {
    const { box, follow } = outbox();
    const seen = follow();
    const first = next(seen);
    box.rows.push('a', 'b');
    box.unsettledReads = 2;
    expect([await first, await next(seen)]).toEqual(['a', 'b']);
  });

  it('is told that it fell behind, and never misses a change without a word', async () => {
    const { box, events, follow } = outbox();
    const seen = follow();
    const first = next(seen);
    await new Promise(setImmediate);
    box.rows.push('a', 'b', 'c', 'd', 'e');
    events.publishLocal('a');
    expect(await first).toBe('a');
    box.removed = 4;
    expect(await next(seen)).toBe('b');
    await expect(next(seen)).rejects.toThrow(SubscriberBehindError);
  });

  it('ends when it is not read any more', async () => {
    const { follow } = outbox();
    const stop = new AbortController();
    const seen = follow(stop.signal);
    const first = seen.next();
    await new Promise(setImmediate);
    stop.abort();
    expect(await first).toMatchObject({ done: true });
  });
});
