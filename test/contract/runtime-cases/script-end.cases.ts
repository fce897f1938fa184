import { expect } from '@jest/globals';
import { runtimeCases } from './runtime-case.js';

/** How a script ends, and what of it reaches the exit and the spool. */
export const SCRIPT_END_CASES = runtimeCases([
  {
    id: 'both-streams',
    title: 'a script that ends well has exit code 0, and both its streams are in the spool',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({
        script: 'import sys\nprint("to stdout")\nprint("to stderr", file=sys.stderr)\n',
      });
      expect(exit).toEqual({ kind: 'exited', exitCode: 0, oomKilled: false });
      expect(spool.stdout).toBe('to stdout\n');
      expect(spool.stderr).toBe('to stderr\n');
      expect(spool.isGapFree).toBe(true);
      expect(spool.ended).toMatchObject({ exitCode: 0, signal: null, timedOut: false, stopped: false });
    },
  },
  {
    id: 'exit-code',
    title: "a script's exit code is the workload's",
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: 'raise SystemExit(7)\n' });
      expect(exit).toEqual({ kind: 'exited', exitCode: 7, oomKilled: false });
      expect(spool.ended).toMatchObject({ exitCode: 7, signal: null });
    },
  },
]);
