import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { describeServiceRuntimes } from './support/service/service-runtimes.js';
import type { LogEventView } from './support/service/service.js';
import { LOGS, TestService } from './support/service/service.js';

const LINES = 100_000;
const CUTS = 1_000;
const FOLLOWERS = 4;
/** Some more than their share: a follower may be unlucky and reach the end early. */
const CUTS_PER_FOLLOWER = 400;
/** Paced, so that the script still prints while the connection is cut again and again. */
const SCRIPT = `
import sys, time
for i in range(${LINES}):
    sys.stdout.write(f"{i:08d} äöü €\\n")
    if i % 100 == 99:
        time.sleep(0.03)
`;

function expectedText(): string {
  return Array.from({ length: LINES }, (_, i) => `${String(i).padStart(8, '0')} äöü €\n`).join('');
}

await describeServiceRuntimes(({ name, variables, isolates }) => {
  describe(`logs on ${name}`, () => {
    let service: TestService;

    beforeAll(async () => {
      service = await TestService.start({ ...variables, STOP_GRACE_SECONDS: '1' });
    });

    afterAll(async () => {
      await service.stop();
    });

    it(`survives ${CUTS} cuts of the socket while ${LINES} lines are printed: every chunk once, the exact text`, async () => {
      const id = await service.run(SCRIPT);
      const followers = await Promise.all(
        Array.from({ length: FOLLOWERS }, () => followCutting(service, id)),
      );
      for (const { chunks, job } of followers) {
        expect(job.state).toBe('SUCCEEDED');
        expect(chunks.map(({ seq }) => seq)).toEqual(chunks.map((_, at) => at + 1));
        expect(chunks.map(({ text }) => text).join('')).toBe(expectedText());
      }
      const cuts = followers.reduce((sum, follower) => sum + follower.cuts, 0);
      expect(cuts).toBeGreaterThanOrEqual(CUTS);
    }, 240_000);

    it('pages through a log with Job.logs and gives it as text', async () => {
      const id = await service.run(
        'import sys, time\nfor i in range(20):\n print(i, flush=True); time.sleep(0.02)\nprint("end", file=sys.stderr)',
      );
      await service.waitForEnd(id);
      const query =
        'query ($id: ID!, $after: String) { job(id: $id) { logs(first: 3, after: $after) { chunks { seq text } endCursor hasMore } } }';
      interface Page {
        job: { logs: { chunks: { seq: number; text: string }[]; endCursor: string; hasMore: boolean } };
      }
      const texts: string[] = [];
      for (let after: string | undefined, hasMore = true; hasMore;) {
        const { job } = await service.ask<Page>(query, { id, after });
        texts.push(...job.logs.chunks.map((chunk) => chunk.text));
        ({ endCursor: after, hasMore } = job.logs);
      }
      const expected = Array.from({ length: 20 }, (_, i) => `${i}\n`).join('') + 'end\n';
      expect(texts.join('')).toBe(expected);
      const response = await fetch(`${service.url}/jobs/${id}/logs.txt`);
      expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(await response.text()).toBe(expected);
    });

    it('serves many followers of one log, fast and slow, each with everything', async () => {
      const id = await service.run(
        'import time\nfor i in range(200):\n print("x" * 100, i, flush=True); time.sleep(0.005)',
      );
      const logs = await Promise.all(Array.from({ length: 40 }, () => service.logText(id)));
      const expected = Array.from({ length: 200 }, (_, i) => `${'x'.repeat(100)} ${i}\n`).join('');
      for (const log of logs) expect(log).toBe(expected);
    });

    it('says where a log at its size limit has a gap, and keeps its end', async () => {
      const small = await TestService.start({ ...variables, MAX_LOG_BYTES: '1000000' });
      try {
        const id = await small.run(
          'for i in range(50_000): print(f"{i:099d}")\nraise SystemExit("last words")',
        );
        await small.waitForEnd(id);
        const chunks = (await small.logEvents(id)).flatMap((event) => event.chunks);
        const gap = chunks.find((chunk) => chunk.droppedBytes !== null);
        expect(gap).toMatchObject({ text: '', droppedBytes: expect.any(Number) });
        const kept = chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk.text), 0);
        expect(kept + gap!.droppedBytes!).toBe(50_000 * 100 + 'last words\n'.length);
        const errors = chunks.filter(({ stream }) => stream === 'STDERR').map(({ text }) => text);
        expect(errors.join('')).toBe('last words\n');
        const end = chunks.slice(-3).map(({ text }) => text);
        expect(end.join('')).toContain('last words');
        const { job } = await small.ask<{ job: { logTruncated: boolean } }>(
          'query ($id: ID!) { job(id: $id) { logTruncated } }',
          { id },
        );
        expect(job.logTruncated).toBe(true);
      } finally {
        await small.stop();
      }
    });

    it('ends a log that the script damaged with a word about it, and still tells how the job ended', async () => {
      // Without a sandbox the folders of a job lie side by side.
      const log = isolates
        ? '"/spool/log"'
        : 'os.environ["OUTPUT_DIR"].replace("/outputs/", "/logs/") + "/log"';
      const script = `import os, time\nprint("before", flush=True)\ntime.sleep(2)\nopen(${log}, "r+b").truncate(10)\ntime.sleep(0.5)\nprint("after", flush=True)`;
      const id = await service.run(script);
      const events = await service.logEvents(id);
      expect(
        events
          .flatMap((event) => event.chunks)
          .map((chunk) => chunk.text)
          .join(''),
      ).toMatch(/^before\n/);
      expect(events.some((event) => /damaged/.test(event.damage ?? ''))).toBe(true);
      expect(events.at(-1)!.job).toMatchObject({ state: 'SUCCEEDED', exitCode: 0 });
    });
  });
});

/** Follows a job to its end, cutting the connection after a random number of chunks, often none, as often as allowed. */
async function followCutting(service: TestService, id: string) {
  const chunks: LogEventView['chunks'] = [];
  let cursor: string | undefined;
  for (let cuts = 0; ; cuts++) {
    const patience = cuts < CUTS_PER_FOLLOWER ? Math.floor(Math.random() * 3) : Infinity;
    const part = await readPart(service, id, cursor, patience);
    chunks.push(...part.chunks);
    cursor = part.chunks.at(-1)?.cursor ?? cursor;
    if (part.job) return { chunks, job: part.job as NonNullable<LogEventView['job']>, cuts };
  }
}

/** Reads until `patience` chunks came, then cuts the TCP connection; or to the end. */
async function readPart(service: TestService, id: string, after: string | undefined, patience: number) {
  const chunks: LogEventView['chunks'] = [];
  let socket: WebSocket | undefined;
  let job: LogEventView['job'] = null;
  const client = createClient({
    url: `${service.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    lazy: true,
  });
  client.on('connected', (connected) => (socket = connected as WebSocket));
  await new Promise<void>((resolve) => {
    const cut = (): void => {
      socket?.terminate();
      resolve();
    };
    client.subscribe<{ jobLogs: LogEventView }>(
      { query: LOGS, variables: { id, after } },
      {
        next: ({ data }) => {
          if (!data) return;
          chunks.push(...data.jobLogs.chunks);
          job ??= data.jobLogs.job;
          if (chunks.length > patience && !job) cut();
        },
        error: () => resolve(),
        complete: () => resolve(),
      },
    );
  });
  await client.dispose();
  return { chunks, job };
}
