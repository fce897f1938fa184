import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Database } from '../../../src/database/database.js';
import { DatabaseUnavailableError } from '../../../src/database/database.errors.js';
import { JobFollower } from '../../../src/jobs/job-follower.js';
import { JobService } from '../../../src/jobs/job.service.js';
import { FakeEngine } from '../../support/runtimes/fake/fake-engine.js';
import { startExecution, submitTo, waitForState } from '../../support/service/execution-server.js';
import { RunnerSpool } from '../../support/runtimes/fake/fake-spool.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';
import { TestDatabase, whyNoPostgres } from '../../support/database/test-database.js';
import { waitFor } from '../../support/wait-for.js';
import { CALLER } from '../../support/service/caller.js';

const TIMEOUT_MS = 180_000;
const LISTENS = /listen "maps_jobs"/;

describeTier('postgres', whyNoPostgres, () => {
  describe('a PostgreSQL server in trouble', () => {
    let engine: FakeEngine;
    let database: TestDatabase;
    let proxy: TcpProxy;
    let dataDir: string;
    const servers: TestingModule[] = [];

    beforeEach(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'maps-postgres-'));
      engine = new FakeEngine({ spool: new RunnerSpool(), secondMs: 1, allowKillByRemove: true });
      database = await TestDatabase.create();
      proxy = await TcpProxy.open(database.url);
    }, TIMEOUT_MS);

    afterEach(async () => {
      await proxy.close();
      for (const server of servers.splice(0)) await server.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
      expect(engine.violations).toEqual([]);
    }, TIMEOUT_MS);

    const start = async (more: Record<string, string> = {}): Promise<TestingModule> => {
      const url = proxy.through(database.url);
      const server = await startExecution(engine, { DATA_DIR: dataDir, DATABASE_URL: url, ...more });
      servers.push(server);
      return server;
    };

    const ping = (server: TestingModule): Promise<boolean> =>
      server
        .get(Database)
        .ping()
        .then(
          () => true,
          () => false,
        );

    const runOne = async (server: TestingModule): Promise<void> => {
      const id = await submitTo(server);
      const workload = await waitFor(() => engine.all().find(({ spec }) => spec.jobId === id));
      workload.end();
      await waitForState(server, id, /SUCCEEDED/);
    };

    it(
      'that is down at the start is waited for',
      async () => {
        await proxy.refuse();
        const server = await start();
        expect(await ping(server)).toBe(false);
        await expect(submitTo(server)).rejects.toThrow(DatabaseUnavailableError);
        await proxy.accept();
        await waitFor(() => ping(server));
        await runOne(server);
      },
      TIMEOUT_MS,
    );

    it(
      'that refuses us for good is no reason to wait',
      async () => {
        const url = new URL(database.url);
        url.pathname = '/no_such_database';
        await expect(start({ DATABASE_URL: url.href })).rejects.toThrow(/"no_such_database" does not exist/);
      },
      TIMEOUT_MS,
    );

    it(
      'that ends all connections costs no job and no follower anything',
      async () => {
        const server = await start();
        const id = await submitTo(server);
        const states: string[] = [];
        const stop = new AbortController();
        const following = (async () => {
          for await (const job of server.get(JobFollower).follow(CALLER, id, stop.signal))
            states.push(job.state);
        })();
        await waitForState(server, id, /RUNNING/);
        for (let round = 0; round < 5; round++) {
          await database.terminateConnections();
          await waitFor(() => ping(server));
        }
        engine.all()[0]!.end();
        await database.terminateConnections();
        await waitFor(() => ping(server));
        await waitForState(server, id, /SUCCEEDED/);
        await following;
        expect(states.at(-1)).toBe('SUCCEEDED');
        await runOne(server);
      },
      TIMEOUT_MS,
    );

    it(
      'that restarts is waited for: a job ends meanwhile, and its end is stored afterwards',
      async () => {
        const server = await start();
        const id = await submitTo(server);
        await waitForState(server, id, /RUNNING/);
        await proxy.refuse();
        engine.all()[0]!.end();
        await expect(server.get(JobService).get(CALLER, id)).rejects.toThrow(DatabaseUnavailableError);
        await proxy.accept();
        await waitForState(server, id, /SUCCEEDED/);
      },
      TIMEOUT_MS,
    );

    it(
      'that vanished without a word is given up after ten seconds, and its connections are replaced',
      async () => {
        const server = await start();
        await runOne(server);
        proxy.silence(undefined, { andNew: false });
        // Ten seconds on an idle machine; the bound of the test is for a busy one.
        await expect(submitTo(server)).rejects.toThrow(DatabaseUnavailableError);
        await waitFor(() => ping(server));
        await runOne(server);
      },
      TIMEOUT_MS,
    );

    it(
      'whose connections are all taken is an error in time, not a request that hangs',
      async () => {
        const server = await start({ DATABASE_POOL_SIZE: '1' });
        const { db } = server.get(Database);
        let release = (): void => undefined;
        const held = db.transaction().execute(() => new Promise<void>((resolve) => (release = resolve)));
        await expect(submitTo(server)).rejects.toThrow(DatabaseUnavailableError);
        release();
        await held;
        await runOne(server);
      },
      TIMEOUT_MS,
    );

    it(
      'frees what a server that vanished in the middle of a transaction held',
      async () => {
        const server = await start();
        const id = await submitTo(server, { priority: -1 });
        await waitForState(server, id, /RUNNING/);
        const { db } = server.get(Database);
        // As a frozen server: it holds the row and says nothing more.
        const frozen = db.transaction().execute(async (tx) => {
          await tx.updateTable('jobs').set({ name: 'held' }).execute();
          await new Promise((resolve) => setTimeout(resolve, 15_000));
        });
        const lost = expect(frozen).rejects.toThrow(DatabaseUnavailableError);
        engine.all()[0]!.end();
        await waitFor(async () => (await server.get(JobService).get(CALLER, id)).state === 'SUCCEEDED');
        await lost;
      },
      TIMEOUT_MS,
    );

    it(
      'on which somebody says something else on the channel',
      async () => {
        const server = await start();
        await waitFor(() => server.get(Database).recheckMs === 3_000);
        for (const text of ['nonsense', 'null', '', '{"from":1,"jobs":7}'])
          await server.get(Database).notify('maps_jobs', text);
        await runOne(server);
      },
      TIMEOUT_MS,
    );

    it(
      'on which replicas hear of each other’s changes',
      async () => {
        const [first, second] = [await start({ MAX_CONCURRENT_JOBS: '1' }), await start()];
        await waitFor(() => [first, second].every((each) => each.get(Database).recheckMs === 3_000));
        // Nothing is found by looking again: what the second one knows, it was told.
        const recheckMs = jest.spyOn(second.get(Database), 'recheckMs', 'get').mockReturnValue(3_600_000);
        const seen = new Map<string, string[]>();
        const stop = new AbortController();
        const following = (async () => {
          for await (const job of second.get(JobFollower).followAll(CALLER, {}, stop.signal))
            seen.set(job.id, [...(seen.get(job.id) ?? []), job.state]);
        })();
        const id = await submitTo(first);
        (await waitFor(() => engine.all().find(({ spec }) => spec.jobId === id))).end();
        await waitFor(() => seen.get(id)?.at(-1) === 'SUCCEEDED');
        stop.abort();
        await following;
        recheckMs.mockRestore();
      },
      TIMEOUT_MS,
    );

    it(
      'of which only the listening connection died, without a word, still delivers',
      async () => {
        const [first, second] = [await start(), await start()];
        const { recheckMs } = second.get(Database);
        expect(recheckMs).toBeGreaterThan(0);
        await waitFor(() => [first, second].every((each) => each.get(Database).recheckMs === 3_000));
        proxy.silence((said) => LISTENS.test(said), { andNew: false });
        const seen: string[] = [];
        const stop = new AbortController();
        const following = (async () => {
          for await (const job of second.get(JobFollower).followAll(CALLER, {}, stop.signal))
            seen.push(`${job.id} ${job.state}`);
        })();
        const id = await submitTo(first);
        (await waitFor(() => engine.all().find(({ spec }) => spec.jobId === id))).end();
        await waitFor(() => seen.includes(`${id} SUCCEEDED`));
        // Both have found out and listen again.
        await waitFor(() => [first, second].every((each) => each.get(Database).recheckMs === 3_000));
        stop.abort();
        await following;
      },
      TIMEOUT_MS,
    );
  });
});
