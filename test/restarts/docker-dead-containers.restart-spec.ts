import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeTier } from '../support/runtimes/runtime-tier.js';
import { TestService } from '../support/service/service.js';
import type { JobView } from '../support/service/service.js';
import { TestEngine, whyNoTestEngine } from '../support/runtimes/docker/test-engine.js';
import { waitFor } from '../support/wait-for.js';

const TIMEOUT_MS = 400_000;
const GRACE_SECONDS = 1;
/** How much later than its deadline and grace, or than a cancel and its grace, a job may come to its end. */
const BOUND_MS = 30_000;
const RUNS_ON = `import time
while True: time.sleep(0.1)
`;
/** No worker has this limit, so that such a job starts cold. */
const COLD = { memoryMb: 200 };

/**
 * Docker 28 with containerd 2, whose daemons are started at one moment after the machine went down, takes containers
 * without a process for running ones: no end of them is told, and a stop has no effect. Docker 20 sees that they are
 * dead, and their jobs are LOST at once.
 */
describeTier('docker-restarts', await whyNoTestEngine(), () => {
  describe('jobs whose engine may take their dead containers for running', () => {
    let engine: TestEngine;
    let service: TestService;
    const ids: Record<string, string> = {};
    const ends: Record<string, JobView> = {};
    let hits: number;
    /** Ids of the containers that the engine has from before. */
    let dead: string[];
    let refusal: string | undefined;

    const start = async (dataDir?: string): Promise<void> => {
      const variables = {
        EXECUTION_RUNTIME: 'docker',
        DOCKER_HOST: engine.host,
        STOP_GRACE_SECONDS: String(GRACE_SECONDS),
        WARM_POOL: 'default=1',
        MAX_CONCURRENT_JOBS: '6',
      };
      service = await TestService.start(variables, dataDir);
    };
    const pool = async (): Promise<{ ready: number; hits: number }> => {
      const asked = '{ service { pool { environments { ready hits } } } }';
      const found = await service.ask<{
        service: { pool: { environments: [{ ready: number; hits: number }] } };
      }>(asked);
      return found.service.pool.environments[0];
    };
    /** Waits for the ends of these jobs, which are asked to end, or are out of time, at `dueAtMs`. */
    const endDue = async (dueAtMs: number, ...names: string[]): Promise<void> => {
      const boundMs = dueAtMs + GRACE_SECONDS * 1000 + BOUND_MS - Date.now();
      const ended = await Promise.all(names.map((name) => service.waitForEnd(ids[name]!, boundMs)));
      names.forEach((name, at) => (ends[name] = ended[at]!));
    };
    const remove = async (id: string): Promise<string | undefined> => {
      const { errors } = await service.graphql('mutation ($id: ID!) { deleteJob(id: $id) }', { id });
      return errors?.[0]?.extensions.code;
    };

    beforeAll(async () => {
      engine = await TestEngine.open({ liveRestore: false });
      await start();
      await waitFor(async () => (await pool()).ready > 0, { describe: () => 'a worker that waits' });
      ids.warm = await service.run(RUNS_ON, { timeoutSeconds: 5 });
      ids.timesOut = await service.run(RUNS_ON, { ...COLD, timeoutSeconds: 5 });
      ids.isCancelled = await service.run(RUNS_ON, { ...COLD, timeoutSeconds: 600 });
      ids.isDeleted = await service.run(RUNS_ON, { ...COLD, timeoutSeconds: 600 });
      ids.timesOutLater = await service.run(RUNS_ON, { ...COLD, timeoutSeconds: 60 });
      ids.isCancelledLater = await service.run(RUNS_ON, { ...COLD, timeoutSeconds: 600 });
      for (const id of Object.values(ids)) await service.waitForState(id, /RUNNING/);
      const runningAtMs = Date.now();
      hits = (await pool()).hits;
      ids.waits = await service.run('print("ran")', COLD);
      await engine.losePower();
      await engine.start({ atOnce: true });
      dead = (await engine.client().listContainers({ all: true })).map(({ Id }) => Id);
      refusal = await remove(ids.isDeleted);
      await service.cancel(ids.isCancelled);
      await service.cancel(ids.isDeleted);
      const cancelledAtMs = Date.now();
      await endDue(runningAtMs + 5_000, 'warm', 'timesOut');
      await endDue(cancelledAtMs, 'isCancelled', 'isDeleted');
      await service.cancel(ids.isCancelledLater);
      await service.stop({ keepData: true });
      await start(service.dataDir);
      await endDue(Date.now(), 'isCancelledLater');
      await endDue(runningAtMs + 60_000, 'timesOutLater');
      ends.waits = await service.waitForEnd(ids.waits);
    }, TIMEOUT_MS);

    afterAll(async () => {
      await service?.stop();
      await engine?.close();
    }, TIMEOUT_MS);

    // LOST where the engine noticed.
    it.each([
      ['whose time was up', 'timesOut', 'TIMED_OUT'],
      ['of a worker whose time was up', 'warm', 'TIMED_OUT'],
      ['that was cancelled', 'isCancelled', 'CANCELLED'],
      ['that was cancelled before another server took it over', 'isCancelledLater', 'CANCELLED'],
      ['whose time was up when another server had taken it over', 'timesOutLater', 'TIMED_OUT'],
    ])('one %s comes to its end in time', (_, name, state) => {
      expect([state, 'LOST']).toContain(ends[name]!.state);
      expect(ends[name]!.attempt).toBe(1);
    });

    it('one was in a worker', () => expect(hits).toBe(1));

    it('one that waited for a place runs', () =>
      expect(ends.waits).toMatchObject({ state: 'SUCCEEDED', attempt: 1 }));

    it('one can be deleted as soon as it has ended, and not before', async () => {
      // Where the engine noticed, it had ended.
      expect(['CONFLICT', undefined]).toContain(refusal);
      expect(await remove(ids.isDeleted!)).toBeUndefined();
    });

    it(
      'nothing of them stays on the engine',
      async () => {
        let left: string[] = [];
        const look = async (): Promise<boolean> => {
          const listed = await engine.client().listContainers({ all: true });
          left = listed.map(({ Id }) => Id).filter((id) => dead.includes(id));
          return left.length === 0;
        };
        await waitFor(look, { deadlineMs: 200_000, describe: () => `the end of containers ${left.join()}` });
      },
      TIMEOUT_MS,
    );
  });
});
