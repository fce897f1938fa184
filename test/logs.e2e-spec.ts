import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { describeServiceRuntimes } from './support/service/service-runtimes.js';
import type { LogEventView } from './support/service/service.js';
import { LOGS, TestService } from './support/service/service.js';
import { waitFor } from './support/wait-for.js';

const LINES = 100_000;
const CUTS = 1_000;
const FOLLOWERS = 4;
const CUTS_PER_FOLLOWER = CUTS / FOLLOWERS;
/** Paced, and goes on until the file is there that says so: the connection is cut while it prints. */
const SCRIPT = `
import itertools, os, sys, time
open("prints", "w").close()
for i in itertools.count():
    sys.stdout.write(f"{i:08d} äöü €\\n")
    if i % 100 == 99 or i >= ${LINES}:
        time.sleep(0.03)
    if i >= ${LINES} and os.path.exists("enough"):
        break
`;

function textOf(lines: number): string {
  return Array.from({ length: lines }, (_, i) => `${String(i).padStart(8, '0')} äöü €\n`).join('');
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
      const folder = await service.outputFolderWith('prints');
      const cutters = Array.from({ length: FOLLOWERS }, () => new CuttingFollower(service, id));
      const followed = cutters.map((follower) => follower.follow());
      await waitFor(() => cutters.every(({ cuts }) => cuts >= CUTS_PER_FOLLOWER), {
        deadlineMs: 200_000,
        describe: () => `${CUTS} cuts; there were ${cutters.map(({ cuts }) => cuts).join(', ')}`,
      });
      await writeFile(join(folder, 'enough'), '');
      const texts = await Promise.all(followed);
      for (const { chunks, job } of cutters) {
        expect(job?.state).toBe('SUCCEEDED');
        expect(chunks.map(({ seq }) => seq)).toEqual(chunks.map((_, at) => at + 1));
      }
      const lines = texts[0]!.split('\n').length - 1;
      expect(lines).toBeGreaterThan(LINES);
      for (const text of texts) expect(text).toBe(textOf(lines));
    }, 300_000);

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

/** Reads a log over connections that it cuts: at once or after a chunk or two, until it has done its share. */
class CuttingFollower {
  readonly chunks: LogEventView['chunks'] = [];
  job: LogEventView['job'] = null;
  cuts = 0;

  constructor(
    private readonly service: TestService,
    private readonly id: string,
  ) {}

  /** Resolves with the whole text when the log has ended. */
  async follow(): Promise<string> {
    for (; !this.job; this.cuts++) {
      const patience = this.cuts < CUTS_PER_FOLLOWER ? Math.floor(Math.random() * 3) : Infinity;
      const part = await readPart(this.service, this.id, this.chunks.at(-1)?.cursor, patience);
      this.chunks.push(...part.chunks);
      this.job = part.job;
    }
    return this.chunks.map(({ text }) => text).join('');
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
