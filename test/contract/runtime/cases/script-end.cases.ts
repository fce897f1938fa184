import { expect } from '@jest/globals';
import { fixture } from '../../../support/runtimes/runtime-bench.js';
import { runtimeCases } from './runtime-case.js';

/** How a script ends by itself, and what of it reaches the exit and the spool. */
export const SCRIPT_END_CASES = runtimeCases([
  {
    id: 'both-streams',
    title: 'a script that ends well has exit code 0, and both its streams are in the spool',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('both-streams') });
      expect(exit).toEqual({ kind: 'exited', exitCode: 0, oomKilled: false });
      expect(spool.stdout).toBe('out 1\nout 2\nout 3\n');
      expect(spool.stderr).toBe('err 1\nerr 2\nerr 3\n');
      expect(spool.isGapFree).toBe(true);
      expect(spool.ended).toMatchObject({ exitCode: 0, signal: null, timedOut: false, stopped: false });
    },
  },
  {
    id: 'no-final-newline',
    title: 'a last line without a newline is not lost, and no newline is added',
    needs: ['python'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: await fixture('no-final-newline') });
      expect(spool.stdout).toBe('no newline');
    },
  },
  {
    id: 'exit-code',
    title: "a script's exit code is the workload's",
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('exit-3') });
      expect(exit).toEqual({ kind: 'exited', exitCode: 3, oomKilled: false });
      expect(spool.ended).toMatchObject({ exitCode: 3, signal: null });
    },
  },
  {
    id: 'exit-text',
    title: 'a script that exits with a text has exit code 1 and the text on its standard error',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('exit-text') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 1 });
      expect(spool.stderr).toBe('the input is empty\n');
    },
  },
  {
    id: 'uncaught-exception',
    title: 'an uncaught exception gives exit code 1 and a traceback that begins in the script',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('uncaught-exception') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 1 });
      expect(spool.stdout).toBe('before\n');
      expect(spool.stderr).toMatch(
        /^Traceback \(most recent call last\):\n {2}File "[^"]*script\.py", line /,
      );
      expect(spool.stderr).toMatch(/ValueError: a side is missing\n$/);
      expect(spool.stderr).not.toContain('job_runner');
    },
  },
  {
    id: 'syntax-error',
    title: 'a script that cannot be compiled has exit code 1 and prints nothing but the error',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('syntax-error') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 1 });
      expect(spool.stdout).toBe('');
      expect(spool.stderr).toContain('SyntaxError');
    },
  },
  {
    id: 'exit-137',
    title: 'a script that exits with 137 was neither killed nor out of memory',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('exit-137') });
      expect(exit).toEqual({ kind: 'exited', exitCode: 137, oomKilled: false });
      expect(spool.ended).toMatchObject({ exitCode: 137, signal: null, oomKills: 0 });
    },
  },
  {
    id: 'killed-by-itself',
    title: 'a script that kills itself was killed, and not out of memory',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('signal-kill-self') });
      expect(exit).toEqual({ kind: 'exited', exitCode: 137, oomKilled: false });
      expect(spool.ended).toMatchObject({ exitCode: null, signal: 9, stopped: false, oomKills: 0 });
    },
  },
  {
    id: 'terminated-by-itself',
    title: 'a script that ends by its own SIGTERM was not stopped by anybody',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('signal-term-self') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 143 });
      expect(spool.ended).toMatchObject({ signal: 15, stopped: false, timedOut: false });
    },
  },
  {
    id: 'segfault',
    title: 'a script that crashes its interpreter ends by SIGSEGV, and what it printed is kept',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('segfault') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 139 });
      expect(spool.ended).toMatchObject({ signal: 11 });
      expect(spool.stdout).toBe('before\n');
    },
  },
  {
    id: 'daemon',
    title: 'a background process that holds standard output neither keeps the workload open nor outlives it',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('daemon-holds-stdout') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(spool.stdout).toBe('daemon\nparent ends\n');
    },
  },
  {
    id: 'threads',
    title: 'threads that outlive the main thread print to the end',
    needs: ['python'],
    run: async (bench) => {
      // A limit of the address space counts what threads set aside for stacks and heaps, and never use.
      const limits = bench.provider.capabilities.memoryLimit === 'perProcess' ? { memoryMb: 8192 } : {};
      const { exit, spool } = await bench.run({ script: await fixture('many-threads'), limits });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(spool.stdout.match(/^thread \d+$/gm)).toHaveLength(50);
    },
  },
  {
    id: 'multiprocessing',
    title: 'a pool of processes works by every start method',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('multiprocessing-pool') });
      expect(spool.stderr).toBe('');
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(spool.stdout).toBe('fork 285\nspawn 285\nforkserver 285\n');
    },
  },
  {
    id: 'request-and-files',
    title: 'request and input files reach the script, and what it writes is in the output folder',
    needs: ['python'],
    run: async (bench) => {
      const request = { place: 'Köln', zoom: [1, 2] };
      const files = [{ path: 'deep/er/points.csv', content: Buffer.from('x,y\n1,2\n') }];
      const { workload } = await bench.run({ script: await fixture('echo-request'), request, files });
      const seen = JSON.parse(await workload.output('result.json')) as unknown;
      expect(seen).toEqual({ request, files: { 'deep/er/points.csv': 'x,y\n1,2\n' } });
    },
  },
]);
