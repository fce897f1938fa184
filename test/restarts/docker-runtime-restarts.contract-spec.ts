import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createDockerRuntime } from '../../src/runtime/docker/docker.runtime.js';
import type { WorkloadExit } from '../../src/runtime/runtime-provider.js';
import { RuntimeUnavailableError } from '../../src/runtime/runtime.errors.js';
import { RuntimeBench } from '../support/runtimes/runtime-bench.js';
import type { Workload } from '../support/runtimes/runtime-bench.js';
import { DockerBackdoor } from '../support/runtimes/docker/runtime-docker.js';
import { describeTier } from '../support/runtimes/runtime-tier.js';
import {
  BOTH_DAEMONS,
  ENGINE_IMAGE,
  TestEngine,
  whyNoTestEngine,
} from '../support/runtimes/docker/test-engine.js';
import { waitFor } from '../support/wait-for.js';
import { SILENT_LOG } from '../support/recorded-log.js';

/** Counts ten times a second, so that an outage is measured in lines. */
const COUNTS = `import time
for n in range(10_000):
    print(n, flush=True)
    time.sleep(0.1)
`;
/** Runs until the test lets it end. */
const WAITS = `import os, time
print("ready", flush=True)
while not os.path.exists("/output/end"):
    time.sleep(0.02)
`;
const DAEMONS = [
  ['dockerd', ['dockerd']],
  ['dockerd and containerd', BOTH_DAEMONS],
] as const;
const EXITED_3 = { kind: 'exited', exitCode: 3, oomKilled: false };
const EXITED_143 = { kind: 'exited', exitCode: 143, oomKilled: false };
/** What an engine says of an end that it does not know. */
const UNKNOWN_EXIT_CODE = 255;
const TIMEOUT_MS = 120_000;

describeTier('docker-restarts', await whyNoTestEngine(), () => {
  describe.each([true, false])('a workload on an engine with live-restore %s', (liveRestore) => {
    let engine: TestEngine;
    let bench: RuntimeBench;

    beforeAll(async () => {
      const installationId = `test-${randomUUID()}`;
      engine = await TestEngine.open({ liveRestore });
      bench = await RuntimeBench.open({
        create: (dataDir) =>
          createDockerRuntime({ dataDir, installationId, log: SILENT_LOG, dockerHost: engine.host }),
        hooks: new DockerBackdoor(engine.client(), installationId),
        image: ENGINE_IMAGE,
      });
    }, TIMEOUT_MS);

    afterEach(async () => {
      await engine.start();
      await bench.tidy();
    }, TIMEOUT_MS);

    afterAll(async () => {
      try {
        expect(await bench.close()).toEqual([]);
      } finally {
        await engine.close();
      }
    }, TIMEOUT_MS);

    if (liveRestore) {
      it.each(DAEMONS)(
        'goes on while %s is away, and can be stopped afterwards',
        async (_, daemons) => {
          const workload = await bench.start({ script: COUNTS });
          await workload.printed('5\n');
          const exit = workload.exit();
          await engine.end('SIGKILL', daemons);
          await workload.printed('\n15\n');
          await expect(bench.provider.stop(workload.handle, 1)).rejects.toThrow(RuntimeUnavailableError);
          await engine.start();
          await bench.provider.stop(workload.handle, 1);
          expect(await exit).toEqual(EXITED_143);
          const { isGapFree, stdout } = await workload.spool();
          expect(isGapFree).toBe(true);
          const counted = stdout.trimEnd().split('\n');
          expect(counted).toEqual(counted.map((_, n) => String(n)));
        },
        TIMEOUT_MS,
      );

      it(
        'its deadline holds while the engine is away',
        async () => {
          const workload = await bench.start({ script: COUNTS, timeoutSeconds: 1 });
          await engine.end('SIGKILL', BOTH_DAEMONS);
          await waitFor(async () => (await workload.spool()).ended?.timedOut, {
            describe: () => 'the deadline held',
          });
          await engine.start();
          await expectEnd(await workload.exit(), workload, EXITED_143, BOTH_DAEMONS);
        },
        TIMEOUT_MS,
      );
    }

    if (!liveRestore) {
      it.each([
        ['asked to end', 'SIGTERM'],
        ['killed, and started again', 'SIGKILL'],
      ] as const)(
        'the engine %s: it is asked to end, and its end is seen',
        async (_, signal) => {
          const workload = await bench.start({ script: COUNTS });
          await workload.printed('5\n');
          const exit = workload.exit();
          await engine.end(signal);
          await engine.start();
          expect(await exit).toEqual(EXITED_143);
          expect((await workload.spool()).ended).toMatchObject({ stopped: true });
        },
        TIMEOUT_MS,
      );
    }

    it.each(DAEMONS)(
      'ends while %s is away, and its true end is told afterwards',
      async (_, daemons) => {
        const fails = await bench.start({ script: `${WAITS}raise SystemExit(3)\n` });
        const succeeds = await bench.start({ script: WAITS });
        const exit = fails.exit();
        for (const workload of [fails, succeeds]) await workload.printed('ready');
        await engine.end('SIGKILL', daemons);
        for (const workload of [fails, succeeds]) await letEnd(workload);
        await engine.start();
        await expectEnd(await exit, fails, EXITED_3, daemons);
        await expectEnd(await succeeds.exit(), succeeds, { ...EXITED_3, exitCode: 0 }, daemons);
      },
      TIMEOUT_MS,
    );

    it(
      'has an unknown end when the machine itself went down',
      async () => {
        const workload = await bench.start({ script: COUNTS });
        await workload.printed('5\n');
        const exit = workload.exit();
        await engine.losePower();
        await engine.start();
        expect(await exit).toEqual({ ...EXITED_3, exitCode: UNKNOWN_EXIT_CODE });
      },
      TIMEOUT_MS,
    );

    it(
      'is started once when the engine was away as it was asked for',
      async () => {
        const workload = await bench.prepare({ script: 'raise SystemExit(3)\n' });
        await engine.end('SIGKILL');
        await expect(workload.start()).rejects.toThrow(RuntimeUnavailableError);
        await engine.start();
        await workload.start();
        expect(await workload.exit()).toEqual(EXITED_3);
        expect(await bench.provider.list()).toHaveLength(1);
      },
      TIMEOUT_MS,
    );

    // Killed then, the engine forgets that it started it, and refuses to do so again.
    it(
      'is never said not to have started when the engine died as the runner began',
      async () => {
        const workload = await bench.prepare({ script: COUNTS });
        const start = workload.start().catch(() => undefined);
        while (engine.runners === 0) await nextTurn();
        await engine.end('SIGKILL');
        await start;
        await workload.printed('1\n');
        await engine.start();
        await workload.start();
        expect(await bench.provider.list()).toHaveLength(1);
        const { frames } = await workload.spool();
        expect(frames.filter(({ kind }) => kind === 'started')).toHaveLength(1);
        await engine.killRunners();
      },
      TIMEOUT_MS,
    );
  });
});

/**
 * A containerd since version 2 that starts after a container's end has forgotten how it ended: the engine then says 255,
 * which stands for an unknown end, and the runner's own record tells it (src/execution/outcome/outcome.ts).
 */
async function expectEnd(
  exit: WorkloadExit,
  workload: Workload,
  end: typeof EXITED_3,
  away: readonly string[],
): Promise<void> {
  const isForgotten =
    away.includes('containerd') && 'exitCode' in exit && exit.exitCode === UNKNOWN_EXIT_CODE;
  expect(exit).toEqual(isForgotten ? { ...end, exitCode: UNKNOWN_EXIT_CODE } : end);
  const { ended } = await workload.spool();
  expect(ended?.exitCode ?? 128 + (ended?.signal ?? 0)).toBe(end.exitCode);
}

async function letEnd(workload: Workload): Promise<void> {
  await writeFile(workload.outputPath('end'), '');
  await waitFor(async () => (await workload.spool()).ended, { describe: () => 'the end of the script' });
}
