import { rm } from 'node:fs/promises';
import { expect } from '@jest/globals';
import { startFailure } from '../../../../src/execution/outcome/outcome.js';
import { engineTextOf, publicMessage } from '../../../../src/runtime/public-message.js';
import type { RuntimeProvider } from '../../../../src/runtime/runtime-provider.js';
import { WorkloadStartError } from '../../../../src/runtime/runtime.errors.js';
import type { RuntimeBench, Workload } from '../../../support/runtimes/runtime-bench.js';
import { PATIENCE_MS, fixture, withPatience } from '../../../support/runtimes/runtime-bench.js';
import { waitFor } from '../../../support/wait-for.js';
import { runtimeCases } from './runtime-case.js';

const RUNS_ON = 'import time\nprint("ready", flush=True)\nwhile True: time.sleep(60)\n';
const IGNORES_SIGTERM = `import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n${RUNS_ON}`;
const ENDS_WITH_3 = 'raise SystemExit(3)\n';
const EXITED_3 = { kind: 'exited', exitCode: 3, oomKilled: false };

/** start, wait, list and remove: the life of a workload that is left alone. All of it runs on the fake, too. */
export const LIFECYCLE_CASES = runtimeCases([
  {
    id: 'healthy',
    title: 'an engine that answers is healthy, and says so in a sentence',
    needs: [],
    run: async (bench) => {
      const health = await bench.provider.checkHealth();
      expect(health).toEqual({ healthy: true, message: expect.stringMatching(/^\S.+\.$/) });
    },
  },
  {
    id: 'wait-late',
    title: 'a workload that ended long ago gives every wait the same exit',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: ENDS_WITH_3 });
      const atOnce = await Promise.all([workload.exit(), workload.exit(), workload.exit()]);
      expect([...atOnce, await workload.exit()]).toEqual([EXITED_3, EXITED_3, EXITED_3, EXITED_3]);
    },
  },
  {
    id: 'wait-elsewhere',
    title: 'another server of the same installation waits with the same handle and sees the same exit',
    needs: ['outlivesServer'],
    run: async (bench) => {
      const other = await bench.another();
      const workload = await bench.start({ script: IGNORES_SIGTERM, graceSeconds: 0 });
      await workload.printed('ready');
      const exits = [workload.exit(), workload.exit(other)];
      await bench.provider.stop(workload.handle, 0);
      const [here, there] = await Promise.all(exits);
      expect(there).toEqual(here);
      expect(await workload.exit(await bench.another())).toEqual(here);
    },
  },
  {
    id: 'wait-aborted',
    title: "an aborted wait rejects with its signal's reason, and the workload goes on",
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: RUNS_ON });
      const abort = new AbortController();
      const wait = bench.provider.wait(workload.handle, abort.signal);
      abort.abort(new Error('enough'));
      await expect(wait).rejects.toThrow('enough');
      expect(await stateOf(bench, workload)).toBe('running');
      await expect(bench.provider.wait(workload.handle, abort.signal)).rejects.toThrow('enough');
    },
  },
  {
    id: 'start-aborted',
    title: 'a start whose signal has aborted before starts nothing',
    needs: [],
    run: async (bench) => {
      const workload = await bench.prepare({ script: RUNS_ON });
      const signal = AbortSignal.abort(new Error('enough'));
      await expect(bench.provider.start(workload.spec, signal)).rejects.toThrow('enough');
      expect(await stateOf(bench, workload)).toBeUndefined();
    },
  },
  {
    id: 'start-again-running',
    title: 'starting a workload that runs returns its handle and leaves it as it is',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: RUNS_ON });
      await workload.printed('ready');
      expect(await bench.provider.start(workload.spec)).toBe(workload.handle);
      expect(await startsOf(workload)).toBe(1);
    },
  },
  {
    id: 'start-again-ended',
    title: 'starting a workload that has ended returns its handle and does not run it again',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: ENDS_WITH_3 });
      await workload.exit();
      expect(await bench.provider.start(workload.spec)).toBe(workload.handle);
      expect(await workload.exit()).toEqual(EXITED_3);
      expect(await stateOf(bench, workload)).toBe('ended');
      expect(await startsOf(workload)).toBe(1);
    },
  },
  {
    id: 'start-race',
    title: 'ten starts at once from two servers run the workload once',
    needs: [],
    run: async (bench) => {
      const workload = await bench.prepare({ script: ENDS_WITH_3 });
      const handles = await startTenTimes(workload, [bench.provider, await bench.another()]);
      expect(new Set(handles).size).toBe(1);
      expect(await workload.exit()).toEqual(EXITED_3);
      expect(await startsOf(workload)).toBe(1);
    },
  },
  {
    id: 'start-race-marker',
    title: 'ten starts at once run the script once, by its own count',
    needs: ['python'],
    run: async (bench) => {
      const workload = await bench.prepare({ script: await fixture('marker') });
      await startTenTimes(workload, [bench.provider, await bench.another()]);
      await workload.exit();
      await workload.start();
      expect(await workload.exit()).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(await workload.output('started')).toBe('started\n');
    },
  },
  {
    id: 'start-made',
    title: 'a workload that was made and not started is started',
    needs: ['hook:makeWithoutStart'],
    run: async (bench) => {
      const workload = await bench.prepare({ script: ENDS_WITH_3 });
      await workload.makeWithoutStart();
      await workload.start();
      expect(await workload.exit()).toEqual(EXITED_3);
    },
  },
  {
    id: 'never-started',
    title: 'a workload that was made and not started has never started; stop and remove take it',
    needs: ['hook:makeWithoutStart'],
    run: async (bench) => {
      const workload = await bench.prepare({ script: RUNS_ON });
      await workload.makeWithoutStart();
      expect(await stateOf(bench, workload)).toBe('created');
      expect(await workload.exit()).toEqual({ kind: 'neverStarted' });
      await bench.provider.stop(workload.handle, 1);
      expect(await workload.exit()).toEqual({ kind: 'neverStarted' });
      await bench.provider.remove(workload.handle);
      expect(await stateOf(bench, workload)).toBeUndefined();
    },
  },
  {
    id: 'list',
    title: 'the list shows workloads that run and that ended, with job and attempt, to every server',
    needs: [],
    run: async (bench) => {
      const since = Date.now();
      const ended = await bench.start({ script: ENDS_WITH_3, attempt: 2 });
      const running = await bench.start({ script: RUNS_ON });
      await ended.exit();
      for (const provider of [bench.provider, await bench.another()]) {
        const listed = await provider.list();
        expect(listed).toHaveLength(2);
        expect(listed).toContainEqual(summaryOf(ended, 'ended'));
        expect(listed).toContainEqual(summaryOf(running, 'running'));
        for (const { createdAtMs } of listed) expect(Math.abs(createdAtMs - since)).toBeLessThan(120_000);
      }
    },
  },
  {
    id: 'list-handle',
    title: 'a listed handle is as good as the one that start returned',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: ENDS_WITH_3 });
      const listed = (await bench.provider.list()).find((each) => each.name === workload.spec.name);
      expect(await bench.provider.wait(listed!.handle)).toEqual(EXITED_3);
      await bench.provider.remove(listed!.handle);
      expect(await bench.provider.list()).toEqual([]);
    },
  },
  {
    id: 'remove-kills',
    title: 'remove kills a workload that runs, and may be repeated',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: RUNS_ON });
      await Promise.all([bench.provider.remove(workload.handle), bench.provider.remove(workload.handle)]);
      await bench.provider.remove(workload.handle);
      expect(await stateOf(bench, workload)).toBeUndefined();
    },
  },
  {
    id: 'removed-while-waited',
    title: 'a workload that somebody removes is removed for who waits, and lost for who asks later',
    needs: ['hook:removeBehind'],
    // A busy kubelet may miss the deletion, and looks at all its pods again within a minute and a half. Who waits is told
    // sooner than that, so that the pod may still be on its way out for who asks later.
    timeoutMs: 360_000,
    run: async (bench) => {
      const workload = await bench.start({ script: RUNS_ON });
      const exit = workload.exit(bench.provider, 180_000);
      await workload.printed('ready');
      await workload.removeBehind();
      expect(await exit).toEqual({ kind: 'removed' });
      await waitFor(async () => (await workload.exit()).kind === 'lost', {
        deadlineMs: PATIENCE_MS,
        describe: () => 'nothing left of the workload',
      });
      await bench.provider.stop(workload.handle, 1);
      await bench.provider.remove(workload.handle);
    },
  },
  {
    id: 'foreign-handle',
    title: 'a handle of another scope, or a damaged one, is refused and never called lost',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: ENDS_WITH_3 });
      const elsewhere = { ...(JSON.parse(workload.handle) as object), scope: 'elsewhere' };
      for (const handle of [JSON.stringify(elsewhere), 'damaged', '{}', 'null']) {
        const wait = withPatience('a refusal', (signal) => bench.provider.wait(handle, signal));
        await expect(wait).rejects.toThrow(/handle/);
        await expect(bench.provider.remove(handle)).rejects.toThrow(/handle/);
      }
    },
  },
  {
    id: 'missing-image',
    title: 'an image that is not there is a failed start with a hint, and nothing stays',
    needs: ['images'],
    run: async (bench) => {
      const workload = await bench.prepare({
        script: ENDS_WITH_3,
        image: 'example.invalid/nobody/nothing:1',
      });
      expect(await startFailureOf(workload)).toMatchObject({
        kind: 'imageUnavailable',
        message: expect.stringContaining('example.invalid/nobody/nothing:1'),
        hint: expect.stringContaining('example.invalid/nobody/nothing:1'),
      });
      expect(await stateOf(bench, workload)).toBeUndefined();
    },
  },
  {
    id: 'start-fails-pathless',
    title: 'a start that fails tells the job’s owner no path of the folders of the service',
    needs: [],
    run: async (bench) => {
      const workload = await bench.prepare({ script: ENDS_WITH_3 });
      await rm(workload.spec.workspace.spoolDir, { recursive: true });
      expect(await toldOf(workload)).not.toContain(bench.dataDir);
    },
  },
  {
    id: 'close',
    title: 'a provider that is closed lets go of its waits, and the workload goes on',
    needs: ['outlivesServer'],
    run: async (bench) => {
      const closing = await bench.another();
      const workload = await bench.start({ script: RUNS_ON });
      const wait = expect(workload.exit(closing)).rejects.toThrow(/closed/);
      await workload.printed('ready');
      await closing.close();
      await wait;
      expect(await stateOf(bench, workload)).toBe('running');
    },
  },
]);

/** What its owner would be told of a workload that may not start. */
async function toldOf(workload: Workload): Promise<string> {
  try {
    await workload.start();
  } catch (error) {
    // What is no such error is a fault of ours: the owner is told nothing of it.
    return error instanceof WorkloadStartError ? startFailure(error.failure).message : '';
  }
  const text = engineTextOf(await workload.exit());
  return text ? publicMessage(text) : '';
}

export { ENDS_WITH_3, IGNORES_SIGTERM, RUNS_ON };

export async function stateOf(bench: RuntimeBench, workload: Workload): Promise<string | undefined> {
  return (await bench.provider.list()).find((each) => each.name === workload.spec.name)?.state;
}

/** How often the workload's runner says it started; a runner that meets its own spool says nothing and exits 121. */
async function startsOf(workload: Workload): Promise<number> {
  return (await workload.spool()).frames.filter((frame) => frame.kind === 'started').length;
}

async function startTenTimes(workload: Workload, providers: RuntimeProvider[]): Promise<string[]> {
  const starts = Array.from({ length: 10 }, (_, n) => workload.start(providers[n % providers.length]));
  return Promise.all(starts);
}

function summaryOf({ spec, handle }: Workload, state: string): object {
  const { name, jobId, attempt } = spec;
  const createdAtMs: unknown = expect.any(Number);
  return { handle, name, jobId, attempt, state, createdAtMs };
}

/** An engine says why it cannot start at once, or, when it has to look for the image first, as the workload's end. */
async function startFailureOf(workload: Workload): Promise<unknown> {
  try {
    await workload.start();
  } catch (error) {
    if (error instanceof WorkloadStartError) return error.failure;
    throw error;
  }
  const exit = await workload.exit();
  return exit.kind === 'startFailed' ? exit.failure : exit;
}
