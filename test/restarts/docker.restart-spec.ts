import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LogFollower } from '../support/service/follow-log.js';
import type { FollowedLog } from '../support/service/follow-log.js';
import { describeTier } from '../support/runtimes/runtime-tier.js';
import { TestService } from '../support/service/service.js';
import type { JobView } from '../support/service/service.js';
import { BOTH_DAEMONS, TestEngine, whyNoTestEngine } from '../support/runtimes/docker/test-engine.js';
import { waitFor } from '../support/wait-for.js';

const TIMEOUT_MS = 120_000;

/** Prints ten numbers a second, so that an outage is measured in lines. */
const counts = (lines: number): string => `import time
for n in range(${lines}):
    print(n, flush=True)
    time.sleep(0.1)
open("counted.txt", "w").write("all of it")
`;
/** Runs until the test lets it end, and then fails. */
const FAILS_WHEN_TOLD = `import os, time
open("fails-when-told", "w")
while not os.path.exists("end"):
    time.sleep(0.02)
raise SystemExit(3)
`;
const ENDS_WELL_WHEN_STOPPED = `import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
open("listens", "w")
while True: time.sleep(0.1)
`;
const IGNORES_STOP = `import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("ignores", "w")
while True: time.sleep(0.1)
`;

describeTier('docker-restarts', await whyNoTestEngine(), () => {
  let engine: TestEngine;
  let service: TestService;

  const open = async (liveRestore: boolean): Promise<void> => {
    engine = await TestEngine.open({ liveRestore });
    service = await TestService.start({
      EXECUTION_RUNTIME: 'docker',
      DOCKER_HOST: engine.host,
      MAX_CONCURRENT_JOBS: '8',
      STOP_GRACE_SECONDS: '1',
    });
  };
  const close = async (): Promise<void> => {
    await service?.stop();
    await engine?.close();
  };
  const health = async (): Promise<{ status: number; body: object }> => {
    const response = await fetch(`${service.url}/health`);
    return { status: response.status, body: (await response.json()) as object };
  };
  const AWAY = {
    status: 200,
    body: {
      status: 'healthy',
      runtime: { healthy: false, message: expect.stringContaining('does not answer') },
    },
  };
  const isAway = (): Promise<boolean> =>
    waitFor(async () => !(await health().then(({ body }) => body as typeof AWAY.body)).runtime.healthy, {
      describe: () => 'the engine found to be away',
    });

  describe.each([
    ['dockerd', ['dockerd'], 10],
    ['dockerd and containerd', BOTH_DAEMONS, 100],
  ] as const)('with live-restore, jobs through an outage of %s', (_, daemons, lines) => {
    const ends: Record<string, JobView> = {};
    let log: FollowedLog;
    let away: object;

    beforeAll(async () => {
      await open(true);
      const ids: Record<string, string> = {
        goesOn: await service.run(counts(lines + 20)),
        fails: await service.run(FAILS_WHEN_TOLD),
        cancelled: await service.run(counts(10_000)),
        timesOut: await service.run(counts(10_000), { timeoutSeconds: 2 }),
      };
      const follower = new LogFollower(service, ids.goesOn!);
      for (const id of Object.values(ids)) await service.waitForState(id, /RUNNING/);
      const failing = await service.outputFolderWith('fails-when-told');
      await engine.end('SIGKILL', daemons);
      ids.submittedAtOnce = await service.run('print("ran")');
      await isAway();
      ids.submittedLater = await service.run('print("ran")');
      await service.cancel(ids.cancelled!);
      await writeFile(join(failing, 'end'), '');
      await waitFor(() => follower.seqs.length > 0 && follower.text.includes(`\n${lines}\n`), {
        deadlineMs: 30_000,
        describe: () => `${lines} lines while the engine is away`,
      });
      away = await health();
      await engine.start();
      for (const [name, id] of Object.entries(ids)) ends[name] = await service.waitForEnd(id);
      log = await follower.ended;
    }, TIMEOUT_MS);

    afterAll(close, TIMEOUT_MS);

    it('keeps serving, and says what is wrong', () => expect(away).toMatchObject(AWAY));

    it('a running one goes on, and its log comes live, whole and once', () => {
      expect(ends.goesOn).toMatchObject({ state: 'SUCCEEDED', reason: 'EXIT_ZERO', attempt: 1 });
      expect(ends.goesOn!.outputs).toMatchObject([{ path: 'counted.txt', size: 9 }]);
      expect(log.text).toBe(numbers(lines + 20));
      expect(log.seqs).toEqual(log.seqs.map((_each, at) => at + 1));
      expect(log.job).toMatchObject({ state: 'SUCCEEDED' });
    });

    it('one that ended meanwhile is told as it was', () => {
      expect(ends.fails).toMatchObject({ state: 'FAILED', reason: 'EXIT_NONZERO', exitCode: 3, attempt: 1 });
    });

    it('one that was cancelled meanwhile is stopped', () => {
      expect(ends.cancelled).toMatchObject({ state: 'CANCELLED', attempt: 1 });
    });

    it('one whose time was up meanwhile has timed out', () => {
      expect(ends.timesOut).toMatchObject({ state: 'TIMED_OUT', attempt: 1 });
    });

    it('those that were submitted meanwhile run afterwards, once', () => {
      expect(ends.submittedAtOnce).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
      expect(ends.submittedLater).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
    });
  });

  describe('without live-restore', () => {
    beforeAll(() => open(false), TIMEOUT_MS);
    afterAll(close, TIMEOUT_MS);

    it.each(['SIGTERM', 'SIGKILL'] as const)(
      'a job that its engine broke off, by %s, is evicted, whatever its script made of it',
      async (signal) => {
        const counting = await service.run(counts(10_000));
        const follower = new LogFollower(service, counting);
        const ids = [counting, await service.run(ENDS_WELL_WHEN_STOPPED), await service.run(IGNORES_STOP)];
        await Promise.all([service.outputFolderWith('listens'), service.outputFolderWith('ignores')]);
        await waitFor(() => follower.text.includes('\n5\n'), { describe: () => 'the first lines' });
        await engine.end(signal);
        await engine.start();
        for (const id of ids) {
          expect(await service.waitForEnd(id)).toMatchObject({
            state: 'FAILED',
            reason: 'EVICTED',
            message: 'The platform asked the workload to end.',
            attempt: 1,
          });
        }
        const { text, seqs } = await follower.ended;
        expect(text).toBe(numbers(text.trimEnd().split('\n').length));
        expect(seqs).toEqual(seqs.map((_each, at) => at + 1));
      },
      TIMEOUT_MS,
    );

    it(
      'a job whose runner was killed while the engine was away is evicted, and one that waited runs',
      async () => {
        const killed = await service.run(counts(10_000));
        await service.waitForState(killed, /RUNNING/);
        await engine.end('SIGKILL');
        const waiting = await service.run('print("ran")');
        await engine.killRunners();
        await engine.start();
        expect(await service.waitForEnd(killed)).toMatchObject({
          reason: 'EVICTED',
          message: 'The workload was killed from outside.',
        });
        expect(await service.waitForEnd(waiting)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
      },
      TIMEOUT_MS,
    );

    it(
      'a job whose machine went down is lost, unless it had ended before',
      async () => {
        const running = await service.run(counts(10_000));
        const failing = await service.run(FAILS_WHEN_TOLD);
        await service.waitForState(running, /RUNNING/);
        const folder = await service.outputFolderWith('fails-when-told');
        await engine.end('SIGKILL', BOTH_DAEMONS);
        const runners = engine.runners;
        await writeFile(join(folder, 'end'), '');
        await waitFor(() => engine.runners < runners, { describe: () => 'the end of one job' });
        await engine.losePower();
        await engine.start();
        expect(await service.waitForEnd(running)).toMatchObject({ state: 'LOST', reason: 'RUNTIME_LOST' });
        expect(await service.waitForEnd(failing)).toMatchObject({ reason: 'EXIT_NONZERO', exitCode: 3 });
      },
      TIMEOUT_MS,
    );

    it(
      'a job whose engine died as its runner began is not run twice',
      async () => {
        await waitFor(() => engine.runners === 0, { describe: () => 'no runner of an earlier job' });
        const id = await service.run(counts(10_000));
        while (engine.runners === 0) await nextTurn();
        await engine.end('SIGKILL');
        await engine.start();
        const job = await service.waitForEnd(id);
        // The latter where the engine had just noted the start.
        expect(['RUNTIME_LOST', 'EVICTED']).toContain(job.reason);
        expect(job.attempt).toBe(1);
      },
      TIMEOUT_MS,
    );
  });
});

function numbers(count: number): string {
  return Array.from({ length: count }, (_, n) => `${n}\n`).join('');
}
