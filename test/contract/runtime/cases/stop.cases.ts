import { expect } from '@jest/globals';
import { fixture } from '../../../support/runtimes/runtime-bench.js';
import { ENDS_WITH_3, IGNORES_SIGTERM, RUNS_ON, stateOf } from './lifecycle.cases.js';
import { runtimeCases } from './runtime-case.js';

const EXITED_143 = { kind: 'exited', exitCode: 143, oomKilled: false };
/** Far longer than any case may take: who waited for it would fail. */
const LONG_GRACE_SECONDS = 600;

/** Workloads that are ended early, from outside or by their own deadline. */
export const STOP_CASES = runtimeCases([
  {
    id: 'stop-running',
    title: 'a workload that is stopped gets SIGTERM and ends with 143',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: RUNS_ON, graceSeconds: LONG_GRACE_SECONDS });
      await workload.printed('ready');
      await bench.provider.stop(workload.handle, LONG_GRACE_SECONDS);
      expect(await stateOf(bench, workload)).toBe('ended');
      expect(await workload.exit()).toEqual(EXITED_143);
      expect((await workload.spool()).ended).toMatchObject({ stopped: true, timedOut: false });
    },
  },
  {
    id: 'stop-repeated',
    title: 'stop may be repeated, at once and after the end, and changes no end',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: RUNS_ON });
      await workload.printed('ready');
      const stop = (): Promise<void> => bench.provider.stop(workload.handle, 5);
      await Promise.all([stop(), stop(), stop()]);
      await stop();
      expect(await workload.exit()).toEqual(EXITED_143);
      await bench.provider.remove(workload.handle);
      await stop();
    },
  },
  {
    id: 'stop-ended',
    title: 'stopping a workload that ended by itself leaves its exit as it is',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: ENDS_WITH_3 });
      const exit = await workload.exit();
      await bench.provider.stop(workload.handle, 5);
      expect(await workload.exit()).toEqual(exit);
    },
  },
  {
    id: 'stop-kills',
    title: 'a workload that ignores SIGTERM is killed after the grace',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: IGNORES_SIGTERM, graceSeconds: 1 });
      await workload.printed('ready');
      await bench.provider.stop(workload.handle, 1);
      expect(await workload.exit()).toMatchObject({ kind: 'exited', exitCode: 137 });
    },
  },
  {
    id: 'stop-shortened',
    title: 'a repeated stop with a shorter grace shortens it',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: IGNORES_SIGTERM, graceSeconds: LONG_GRACE_SECONDS });
      await workload.printed('ready');
      const patient = bench.provider.stop(workload.handle, LONG_GRACE_SECONDS);
      await bench.provider.stop(workload.handle, 0);
      await patient;
      expect(await workload.exit()).toMatchObject({ kind: 'exited', exitCode: 137 });
    },
  },
  {
    id: 'stop-starting',
    title: 'a workload that is stopped while it starts ends at once, whatever its grace',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: RUNS_ON, graceSeconds: LONG_GRACE_SECONDS });
      await bench.provider.stop(workload.handle, LONG_GRACE_SECONDS);
      expect((await workload.exit()).kind).toMatch(/^(exited|signalled)$/);
      expect(await stateOf(bench, workload)).toBe('ended');
    },
  },
  {
    id: 'stop-aborted',
    title: 'an aborted stop rejects, and the workload is stopped all the same',
    needs: [],
    run: async (bench) => {
      const workload = await bench.start({ script: IGNORES_SIGTERM, graceSeconds: 1 });
      await workload.printed('ready');
      const abort = new AbortController();
      const stop = bench.provider.stop(workload.handle, 1, abort.signal);
      abort.abort(new Error('enough'));
      await expect(stop).rejects.toThrow('enough');
      // Whether the engine had heard of it before is open; said again, it must hold.
      await bench.provider.stop(workload.handle, 1);
      expect(await workload.exit()).toMatchObject({ kind: 'exited', exitCode: 137 });
    },
  },
  {
    id: 'stop-last-words',
    title: 'a script that is stopped may say its last words, and its runner, too',
    needs: ['python'],
    run: async (bench) => {
      const workload = await bench.start({ script: await fixture('ends-inside-grace') });
      await workload.printed('asleep');
      await bench.provider.stop(workload.handle, 5);
      expect(await workload.exit()).toMatchObject({ kind: 'exited', exitCode: 0 });
      const spool = await workload.spool();
      expect(spool.stdout).toBe('asleep\ngoodbye\n');
      expect(spool.ended).toMatchObject({ exitCode: 0, stopped: true });
    },
  },
  {
    id: 'stop-kill-last-words',
    title: 'a script that is killed after the grace leaves the last words of its runner',
    needs: ['python'],
    run: async (bench) => {
      const workload = await bench.start({ script: await fixture('ignores-sigterm'), graceSeconds: 1 });
      await workload.printed('deaf');
      await bench.provider.stop(workload.handle, 1);
      expect(await workload.exit()).toMatchObject({ kind: 'exited', exitCode: 137 });
      expect((await workload.spool()).ended).toMatchObject({ signal: 9, stopped: true, oomKills: 0 });
    },
  },
  {
    id: 'timeout',
    title: 'a script that takes longer than its time limit is ended by its own runner',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('sleep-forever'), timeoutSeconds: 1 });
      expect(exit).toEqual(EXITED_143);
      expect(spool.ended).toMatchObject({ signal: 15, timedOut: true, stopped: false });
    },
  },
  {
    id: 'timeout-ignored',
    title: 'a script that ignores SIGTERM at its time limit is killed after the grace',
    needs: ['python'],
    run: async (bench) => {
      const script = await fixture('ignores-sigterm');
      const { exit, spool } = await bench.run({ script, timeoutSeconds: 1, graceSeconds: 1 });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 137 });
      expect(spool.ended).toMatchObject({ signal: 9, timedOut: true, oomKills: 0 });
    },
  },
  {
    id: 'timeout-grace',
    title: 'a script that ends well inside the grace has timed out all the same',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({
        script: await fixture('ends-inside-grace'),
        timeoutSeconds: 1,
      });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(spool.ended).toMatchObject({ exitCode: 0, timedOut: true });
    },
  },
]);
