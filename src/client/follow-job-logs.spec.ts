import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import type { JobLogEvent } from './api-types.js';
import { ApiError, ConnectionError } from './api-error.js';
import type { FollowOptions } from './follow-job-logs.js';
import { followJobLogs } from './follow-job-logs.js';
import { FakeLogServer, chunk, finished } from '../../test/support/service/fake-log-server.js';

let server: FakeLogServer;
beforeEach(async () => {
  server = await FakeLogServer.listen();
});
afterEach(() => server.close());

function follow(options: Partial<FollowOptions> = {}): AsyncGenerator<JobLogEvent, void, undefined> {
  return followJobLogs({
    url: server.url,
    webSocketImpl: WebSocket,
    jobId: 'job-1',
    waitMs: () => 1,
    ...options,
  });
}

async function collect(events: AsyncIterable<JobLogEvent>): Promise<JobLogEvent[]> {
  const seen: JobLogEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

function seqsOf(events: JobLogEvent[]): number[] {
  return events.flatMap((event) => event.chunks.map(({ seq }) => seq));
}

describe('followJobLogs', () => {
  it('yields the chunks and ends after the event with the job', async () => {
    server.script((connection) => connection.next([chunk(1), chunk(2)]).next([], finished('job-1')));
    const events = await collect(follow({ token: 'secret' }));
    expect(seqsOf(events)).toEqual([1, 2]);
    expect(events.at(-1)?.job?.state).toBe('SUCCEEDED');
    expect(server.inits).toEqual([{ authorization: 'Bearer secret' }]);
    expect(server.subscriptions).toEqual([{ jobId: 'job-1' }]);
  });

  it('goes on behind the last cursor each time that the connection is cut', async () => {
    const all = [1, 2, 3, 4, 5, 6, 7].map((seq) => chunk(seq));
    // Each connection gives two events of one chunk and then breaks, in a different way each time.
    const breaks = [
      'terminate',
      'terminate',
      { code: 1001 },
      { code: 1012 },
      'complete',
      { code: 1011 },
    ] as const;
    server.script((connection, { after }) => {
      const rest = all.slice(after ? Number(after) : 0);
      if (rest.length <= 1) return void connection.next(rest).next([], finished('job-1'));
      rest.slice(0, 1).forEach((each) => connection.next([each]));
      connection.break(breaks[server.subscriptions.length - 1] ?? 'terminate');
    });
    const faults: Error[] = [];
    const events = await collect(follow({ onBreak: (fault) => faults.push(fault) }));
    expect(seqsOf(events)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(server.subscriptions.map(({ after }) => after)).toEqual([undefined, '1', '2', '3', '4', '5', '6']);
    expect(faults.every((fault) => fault instanceof ConnectionError)).toBe(true);
  });

  it('begins behind the cursor it is given', async () => {
    server.script((connection) => connection.next([chunk(6)], finished('job-1')));
    expect(seqsOf(await collect(follow({ after: '5' })))).toEqual([6]);
    expect(server.subscriptions[0]).toEqual({ jobId: 'job-1', after: '5' });
  });

  it('waits longer after each failure in a row, and forgets them once something came', async () => {
    const waits: number[] = [];
    server.script((connection) => {
      const at = server.subscriptions.length;
      if (at === 3) connection.next([chunk(1)]);
      if (at === 5) return void connection.next([], finished('job-1'));
      connection.break('terminate');
    });
    await collect(follow({ waitMs: (failures) => (waits.push(failures), 1) }));
    expect(waits).toEqual([0, 1, 0, 1]);
  });

  it('rejects with a typed error when the token is refused, and does not try again', async () => {
    server.refuseInit(4401);
    await expect(collect(follow({ token: 'wrong' }))).rejects.toMatchObject({
      name: 'ApiError',
      code: 'UNAUTHENTICATED',
    });
    expect(server.inits).toHaveLength(1);
  });

  it.each(['NOT_FOUND', 'BAD_USER_INPUT'])('rejects with %s and does not try again', async (code) => {
    server.script((connection) => connection.error('No.', { code, requestId: 'r-1', field: 'jobId' }));
    const error: unknown = await collect(follow()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code, message: 'No.', requestId: 'r-1', field: 'jobId' });
    expect(server.subscriptions).toHaveLength(1);
  });

  it('takes an error inside a result as it takes one of the operation', async () => {
    server.script((connection) => connection.resultError('No such job.', { code: 'NOT_FOUND' }));
    await expect(collect(follow())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('tries a passing fault of the service again, but not for ever', async () => {
    server.script((connection) => connection.error('Oh.', { code: 'INTERNAL_SERVER_ERROR' }));
    await expect(collect(follow())).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    expect(server.subscriptions).toHaveLength(6);
  });

  it('gives up when nothing was heard for as long as its patience lasts', async () => {
    await server.close();
    await expect(collect(follow({ patienceMs: 20 }))).rejects.toBeInstanceOf(ConnectionError);
  });

  it('ends with the reason of its signal, also while it waits', async () => {
    const stop = new AbortController();
    server.script((connection) => connection.next([chunk(1)]));
    const events = follow({ signal: stop.signal });
    expect((await events.next()).value?.chunks).toHaveLength(1);
    const next = events.next();
    stop.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
    await server.isDeserted();
  });

  it('closes its connection when the loop over it is left', async () => {
    server.script((connection) => connection.next([chunk(1)]));
    for await (const event of follow()) if (event.chunks.length > 0) break;
    await server.isDeserted();
  });

  it('does not read faster than its consumer, and loses nothing by it', async () => {
    const count = 300;
    server.script((connection) => {
      for (let seq = 1; seq <= count; seq++) connection.next([chunk(seq, 'x'.repeat(64 * 1024))]);
      connection.next([], finished('job-1'));
    });
    const events = follow();
    await events.next();
    // 20 MB were sent at once; what is not taken stays at the sender.
    await server.isBlocked();
    const rest = await collect(events);
    expect(seqsOf(rest)).toHaveLength(count - 1);
    expect(server.subscriptions).toHaveLength(1);
  });
});
