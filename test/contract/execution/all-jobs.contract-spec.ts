import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Database } from '../../../src/database/database.js';
import { JobFollower } from '../../../src/jobs/job-follower.js';
import { JobEvents } from '../../../src/jobs/record/job-events.js';
import type { JobState } from '../../../src/jobs/record/job-state.js';
import { isTerminal } from '../../../src/jobs/record/job-state.js';
import { TestDatabase, whyNoPostgres } from '../../support/database/test-database.js';
import { FakeEngine } from '../../support/runtimes/fake/fake-engine.js';
import { RunnerSpool } from '../../support/runtimes/fake/fake-spool.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { CALLER } from '../../support/service/caller.js';
import { startExecution, submitTo } from '../../support/service/execution-server.js';
import { waitFor } from '../../support/wait-for.js';

const TIMEOUT_MS = 180_000;
const JOBS = 12;

describe('a subscriber to all jobs', () => {
  let engine: FakeEngine;
  let dataDir: string;
  const servers: TestingModule[] = [];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'maps-all-jobs-'));
    engine = new FakeEngine({ spool: new RunnerSpool(), secondMs: 1, allowKillByRemove: true });
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    for (const server of servers.splice(0)) await server.close();
    await rm(dataDir, { recursive: true, force: true });
    expect(engine.violations).toEqual([]);
  }, TIMEOUT_MS);

  const start = async (more: Record<string, string>): Promise<TestingModule> => {
    const server = await startExecution(engine, { DATA_DIR: dataDir, ...more });
    servers.push(server);
    return server;
  };

  /** The states of each job in the order in which a subscriber of `server` sees them, until it is stopped. */
  const follow = (server: TestingModule): { seen: Map<string, JobState[]>; stop: () => Promise<void> } => {
    const seen = new Map<string, JobState[]>();
    const stopping = new AbortController();
    const follower = server.get(JobFollower, { strict: false });
    const reading = (async () => {
      for await (const { id, state } of follower.followAll(CALLER, {}, stopping.signal))
        seen.set(id, [...(seen.get(id) ?? []), state]);
    })();
    return {
      seen,
      stop: () => {
        stopping.abort();
        return reading;
      },
    };
  };

  /** Runs jobs on `server` one after another until all have ended. */
  const runJobs = async (server: TestingModule): Promise<string[]> => {
    const ids: string[] = [];
    for (let n = 0; n < JOBS; n++) {
      const id = await submitTo(server);
      ids.push(id);
      const workload = await waitFor(() => {
        const found = engine.workload(`runner-${id}`);
        return found.state === 'running' ? found : undefined;
      });
      workload.end();
    }
    return ids;
  };

  const expectAll = async (seen: Map<string, JobState[]>, ids: string[]): Promise<void> => {
    await waitFor(() => ids.every((id) => isTerminal(seen.get(id)?.at(-1) ?? 'QUEUED')), {
      describe: () => JSON.stringify([...seen]),
    });
    const order = ['QUEUED', 'STARTING', 'RUNNING', 'SUCCEEDED'];
    for (const id of ids) {
      const steps = seen.get(id)!.map((state) => order.indexOf(state));
      expect(steps).toEqual([...steps].sort());
      expect(seen.get(id)!.at(-1)).toBe('SUCCEEDED');
    }
  };

  it(
    'sees every job to its end although no hint comes',
    async () => {
      const server = await start({});
      Object.defineProperty(server.get(Database), 'recheckMs', { get: () => 20 });
      jest.spyOn(server.get(JobEvents, { strict: false }), 'onAny').mockReturnValue(() => undefined);
      const { seen, stop } = follow(server);
      await expectAll(seen, await runJobs(server));
      await stop();
    },
    TIMEOUT_MS,
  );

  describeTier('postgres', whyNoPostgres, () => {
    it(
      'of another replica sees every job to its end although the replicas hear nothing of each other',
      async () => {
        const database = await TestDatabase.create();
        try {
          const variables = { DATABASE_URL: database.url };
          const [first, second] = [
            await start(variables),
            await start({ ...variables, MAX_CONCURRENT_JOBS: '1' }),
          ];
          for (const server of [first, second])
            jest.spyOn(server.get(Database), 'notify').mockRejectedValue(new Error('cut'));
          const { seen, stop } = follow(second);
          await expectAll(seen, await runJobs(first));
          await stop();
          for (const server of servers.splice(0)) await server.close();
        } finally {
          await database.drop();
        }
      },
      TIMEOUT_MS,
    );
  });
});
