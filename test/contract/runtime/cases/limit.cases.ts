import { expect } from '@jest/globals';
import { stat } from 'node:fs/promises';
import { MiB } from '../../../../src/common/bytes.js';
import { fixture } from '../../../support/runtimes/runtime-bench.js';
import { runtimeCases } from './runtime-case.js';

const FILLS_TMP = `
import errno, os
try:
    with open(os.path.join(os.environ["HOME"], "big"), "wb") as file:
        for _ in range(64):
            file.write(b"x" * (1 << 20))
    print("not limited")
except OSError as error:
    print(errno.errorcode[error.errno])
`;

const BURNS_TWO_SECONDS = `
import os, time
end = time.monotonic() + 2
os.fork()
while time.monotonic() < end:
    pass
`;

/** Scripts that take more than they may. */
export const LIMIT_CASES = runtimeCases([
  {
    id: 'memory',
    title: 'a script that takes too much memory does not get it',
    needs: ['python', 'memoryLimit:any'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('memory-bomb') });
      expect(exit).not.toMatchObject({ exitCode: 0 });
      expect(spool.stdout).toBe('before\n');
    },
  },
  {
    id: 'memory-oom',
    title: 'a script that is out of memory is killed, and its runner lives to say why',
    needs: ['python', 'memoryLimit:cgroup'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('memory-bomb') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 137 });
      expect(spool.ended).toMatchObject({ signal: 9, timedOut: false, stopped: false });
      expect(spool.ended?.oomKills).toBeGreaterThan(0);
    },
  },
  {
    id: 'memory-oom-child',
    title: "a script that fails by its child's lack of memory has that for evidence",
    needs: ['python', 'memoryLimit:cgroup'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('memory-bomb-child-fatal') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 1 });
      expect(spool.ended?.oomKills).toBeGreaterThan(0);
    },
  },
  {
    id: 'memory-oom-handled',
    title: "a script that copes with its child's lack of memory ends well",
    needs: ['python', 'memoryLimit:cgroup'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('memory-bomb-child-handled') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(spool.ended).toMatchObject({ exitCode: 0, signal: null });
    },
  },
  {
    id: 'fork-storm',
    title: 'a script that forks without end meets the limit of processes, and others run meanwhile',
    needs: ['python', 'pidsLimit:any'],
    run: async (bench) => {
      const storm = await bench.start({ script: await fixture('fork-storm') });
      const other = await bench.run({ script: await fixture('both-streams') });
      expect(other.exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(await storm.exit()).toMatchObject({ kind: 'exited', exitCode: 0 });
      const [, children] = /^children (\d+)$/m.exec((await storm.spool()).stdout) ?? [];
      expect(Number(children)).toBeGreaterThan(0);
      expect(Number(children)).toBeLessThan(bench.processBound(storm.spec.limits));
    },
  },
  {
    id: 'cpu',
    title: 'a script gets no more of the CPUs than it may',
    needs: ['python', 'cpuLimit'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: BURNS_TWO_SECONDS, limits: { cpus: 0.25 } });
      const { cpuSeconds, wallSeconds } = spool.ended!;
      expect(cpuSeconds).toBeLessThan(0.5 * wallSeconds);
    },
  },
  {
    id: 'tmp',
    title: 'the temporary folder is bounded',
    needs: ['python', 'tmpLimit'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: FILLS_TMP, limits: { tmpBytes: 8 * MiB } });
      expect(spool.stdout).toBe('ENOSPC\n');
    },
  },
  {
    id: 'output-many-files',
    title: 'a script that fills its output folder with files is ended, and the reason is said',
    needs: ['python'],
    run: async (bench) => {
      const script = await fixture('fill-output');
      const { exit, spool } = await bench.run({ script, maxOutputBytes: 16 * MiB });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 137 });
      expect(spool.ended).toMatchObject({ signal: 9, diskExceeded: true, timedOut: false, oomKills: 0 });
    },
  },
  {
    id: 'output-one-file',
    title: 'a script cannot write one file larger than its outputs may be, and the reason is said',
    needs: ['python'],
    run: async (bench) => {
      const script = await fixture('fill-output-one-file');
      const { exit, spool, workload } = await bench.run({ script, maxOutputBytes: 16 * MiB });
      expect(exit).not.toMatchObject({ exitCode: 0 });
      expect(spool.ended).toMatchObject({ diskExceeded: true });
      expect((await stat(workload.outputPath('growing'))).size).toBeLessThanOrEqual(16 * MiB);
    },
  },
]);
