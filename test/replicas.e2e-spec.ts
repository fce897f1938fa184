import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { followJobLogs } from '../src/client/follow-job-logs.js';
import { makeDataFolder } from './support/service/data-folder.js';
import { findProcess } from './support/runtimes/process/runtime-process.js';
import { describeTier } from './support/runtimes/runtime-tier.js';
import { ServerProcess } from './support/service/server-process.js';
import { TcpProxy } from './support/faults/tcp-proxy.js';
import { TestDatabase, whyNoPostgres } from './support/database/test-database.js';
import { waitFor } from './support/wait-for.js';

const TIMEOUT_MS = 300_000;
/** Three times what the README promises for a job whose server died, as a machine may be busy. */
const ADOPTED_WITHIN_MS = 3 * (15_000 + 5_000);
const LINES = 400;
/** Prints for about 20 s, so that it outlives a lease. */
const SCRIPT = `import time
for i in range(${LINES}):
    print(i, flush=True)
    time.sleep(0.05)
`;
const LOG = Array.from({ length: LINES }, (_, i) => `${i}\n`).join('');

interface JobRow {
  id: string;
  state: string;
  attempt: number;
  epoch: number;
  owner: string;
}

const jobs = await findProcess();

describeTier('postgres', whyNoPostgres ?? jobs.unavailable, () => {
  describe('several servers on one database', () => {
    let database: TestDatabase;
    let dataDir: string;
    const servers: ServerProcess[] = [];

    beforeEach(async () => {
      database = await TestDatabase.create();
      dataDir = await makeDataFolder('maps-replicas-');
    }, TIMEOUT_MS);

    afterEach(async () => {
      for (const server of servers.splice(0)) {
        server.signal('SIGCONT');
        await server.kill();
      }
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    }, TIMEOUT_MS);

    const start = (more: Record<string, string> = {}): ServerProcess => {
      const server = new ServerProcess({
        ...jobs.variables,
        DATABASE_URL: database.url,
        DATA_DIR: dataDir,
        MAX_CONCURRENT_JOBS: '60',
        PORT: '0',
        LOG_LEVEL: 'warn',
        ...more,
      });
      servers.push(server);
      return server;
    };

    const rows = (): Promise<JobRow[]> =>
      database.query<JobRow>('select id, state, attempt, epoch, owner from jobs order by id');

    /** What a subscriber of one server gets to see of a job: its text, and how often the connection broke. */
    const follow = async (url: string, jobId: string, next?: string): Promise<string> => {
      let text = '';
      let at = url;
      let after: string | undefined;
      for (;;) {
        const options = {
          url: `${at.replace('http', 'ws')}/graphql`,
          webSocketImpl: WebSocket,
          jobId,
          after,
          patienceMs: next === undefined || at === next ? undefined : 0,
        };
        try {
          for await (const event of followJobLogs(options)) {
            for (const chunk of event.chunks) text += chunk.text;
            after = event.chunks.at(-1)?.cursor ?? after;
            if (event.job) return text;
          }
        } catch (error) {
          if (next === undefined || at === next) throw error;
          at = next;
        }
      }
    };

    it(
      'lose nothing when one of two is killed with 50 jobs running: adopted in time, no log has a gap',
      async () => {
        const [first, second] = [start(), start({ MAX_CONCURRENT_JOBS: '1' })];
        const [firstUrl, secondUrl] = [await first.listening(), await second.listening()];
        // Keeps the second one from taking any of them.
        const blocker = await second.run('import time; time.sleep(60)', { name: 'blocker' });
        const ids = await Promise.all(Array.from({ length: 50 }, () => first.run(SCRIPT)));
        const owned = async (): Promise<JobRow[]> => (await rows()).filter(({ id }) => ids.includes(id));
        await waitFor(async () => (await owned()).every(({ state }) => state === 'RUNNING'), {
          deadlineMs: 60_000,
          describe: () => 'all jobs running',
        });
        const dead = (await owned())[0]!.owner;
        const fromSecond = ids.slice(0, 5).map((id) => follow(secondUrl, id));
        const fromFirst = ids.slice(5, 10).map((id) => follow(firstUrl, id, secondUrl));
        await first.kill();
        await waitFor(async () => (await owned()).every(({ owner }) => owner !== dead), {
          deadlineMs: ADOPTED_WITHIN_MS,
        });
        await waitFor(async () => (await owned()).every(({ state }) => state === 'SUCCEEDED'), {
          deadlineMs: 180_000,
        });
        expect((await owned()).map(({ attempt, epoch }) => `${attempt}/${epoch}`)).toEqual(
          ids.map(() => '1/2'),
        );
        for (const text of await Promise.all([...fromSecond, ...fromFirst])) expect(text).toBe(LOG);
        await second.ask('mutation ($id: ID!) { cancelJob(id: $id) { id } }', { id: blocker });
      },
      TIMEOUT_MS,
    );

    it(
      'refuse the late writes of one that was paused for longer than its lease',
      async () => {
        const [first, second] = [start(), start({ MAX_CONCURRENT_JOBS: '1' })];
        await second.listening();
        await second.run('import time; time.sleep(90)', { name: 'blocker' });
        const id = await first.run(SCRIPT);
        const row = async (): Promise<JobRow> => (await rows()).find((each) => each.id === id)!;
        await waitFor(async () => (await row()).state === 'RUNNING');
        const { owner } = await row();
        first.signal('SIGSTOP');
        await waitFor(async () => (await row()).owner !== owner);
        const adopted = await row();
        first.signal('SIGCONT');
        await waitFor(
          () => first.lines.some(({ msg }) => msg === 'the job is owned by another replica now; leaving it'),
          { describe: () => JSON.stringify(first.lines) },
        );
        await waitFor(async () => (await row()).state === 'SUCCEEDED');
        expect(await row()).toEqual({ ...adopted, state: 'SUCCEEDED' });
      },
      TIMEOUT_MS,
    );

    it(
      'take over at once what they ran under the same name before they were restarted',
      async () => {
        const first = start({ REPLICA_NAME: 'one' });
        const id = await first.run(SCRIPT);
        const row = async (): Promise<JobRow> => (await rows()).find((each) => each.id === id)!;
        await waitFor(async () => (await row()).state === 'RUNNING');
        await first.kill();
        // Its lease does not end meanwhile, however slow the machine: only its name can give the job away.
        await database.query('update jobs set lease_until = lease_until + 3600000');
        const second = start({ REPLICA_NAME: 'one' });
        await second.listening();
        await waitFor(async () => (await row()).epoch === 2);
        await waitFor(async () => (await row()).state === 'SUCCEEDED');
      },
      TIMEOUT_MS,
    );

    it(
      'live and are not ready while the database is down at their start, and serve when it comes',
      async () => {
        const proxy = await TcpProxy.open(database.url, { isOpen: false });
        try {
          const server = start({ DATABASE_URL: proxy.through(database.url) });
          const url = await server.listening();
          const status = async (path: string): Promise<number> => (await fetch(url + path)).status;
          expect([
            await status('/health/live'),
            await status('/health/ready'),
            await status('/health'),
          ]).toEqual([200, 503, 503]);
          const body = JSON.stringify({ query: '{ jobs { edges { node { id } } } }' });
          const headers = { 'content-type': 'application/json' };
          const answer = await (await fetch(`${url}/graphql`, { method: 'POST', headers, body })).text();
          expect(JSON.parse(answer)).toMatchObject({
            errors: [{ extensions: { code: 'DATABASE_UNAVAILABLE', retryAfterMs: 2_000 } }],
          });
          await proxy.accept();
          await waitFor(async () => (await status('/health/ready')) === 200);
          expect(await follow(url, await server.run('print("hello")'))).toBe('hello\n');
        } finally {
          await proxy.close();
        }
      },
      TIMEOUT_MS,
    );
  });
});
