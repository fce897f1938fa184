import { expect } from '@jest/globals';
import { readFile, stat } from 'node:fs/promises';
import { KiB, MiB } from '../../../../src/common/bytes.js';
import { SpoolDamagedError, parseFrames } from '../../../../src/runner/frames.js';
import { spoolPath } from '../../../../src/workspace/workspace-paths.js';
import { fixture } from '../../../support/runtimes/runtime-bench.js';
import { runtimeCases } from './runtime-case.js';

/** Room for everything these scripts print, with the headers of the frames. */
const RAISED_LOG_BYTES = 256 * MiB;
const LOG_TAIL_BYTES = 256 * KiB;
const VOLUME_TIMEOUT_MS = 180_000;

/** What is printed is in the spool, byte for byte, or what is missing is counted. */
export const LOG_CASES = runtimeCases([
  {
    id: 'one-line-100mb',
    title: 'one line of 100 MB arrives whole when the log has room for it',
    needs: ['python'],
    timeoutMs: VOLUME_TIMEOUT_MS,
    run: async (bench) => {
      const script = await fixture('one-line-100mb');
      const { exit, spool } = await bench.run({ script, maxLogBytes: RAISED_LOG_BYTES });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(spool.isGapFree).toBe(true);
      expect(spool.gaps).toEqual([]);
      const expected = Buffer.alloc(100_000_001, 'x');
      expected.write('\n', 100_000_000);
      expect(spool.bytes('STDOUT').equals(expected)).toBe(true);
    },
  },
  {
    id: 'million-lines',
    title: 'a million lines arrive whole and in order when the log has room for them',
    needs: ['python'],
    timeoutMs: VOLUME_TIMEOUT_MS,
    run: async (bench) => {
      const script = await fixture('lines-1000000');
      const { exit, spool } = await bench.run({ script, maxLogBytes: RAISED_LOG_BYTES });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(spool.isGapFree).toBe(true);
      expect(spool.gaps).toEqual([]);
      expect(spool.bytes('STDOUT').equals(millionLines())).toBe(true);
    },
  },
  {
    id: 'log-cap',
    title: 'a log that is full says how much is missing, and has the beginning and the end',
    needs: ['python'],
    timeoutMs: VOLUME_TIMEOUT_MS,
    run: async (bench) => {
      const script = await fixture('lines-1000000');
      const { exit, spool, workload } = await bench.run({ script, maxLogBytes: 4 * MiB });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(spool.isGapFree).toBe(true);
      const dropped = spool.gaps.reduce((sum, frame) => sum + Number(frame.payload.toString()), 0);
      expect(dropped).toBeGreaterThan(90_000_000);
      expect(spool.bytes('STDOUT').length + dropped).toBe(100_000_000);
      expect(spool.ended).toMatchObject({ droppedBytes: dropped });
      const whole = millionLines();
      const [head, tail] = spool.aroundGap('STDOUT');
      expect(whole.subarray(0, head.length).equals(head)).toBe(true);
      expect(whole.subarray(whole.length - tail.length).equals(tail)).toBe(true);
      expect(tail.length).toBeGreaterThan(LOG_TAIL_BYTES / 2);
      const { size } = await stat(spoolPath(workload.spec.workspace));
      expect(size).toBeLessThanOrEqual(4 * MiB + LOG_TAIL_BYTES);
    },
  },
  {
    id: 'invalid-utf8',
    title: 'bytes that are not UTF-8 are replaced, NUL stays, and split characters are put together',
    needs: ['python'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: await fixture('invalid-utf8-and-nul') });
      expect(spool.stdout).toBe('latin \ufffd\ufffd nul \u0000 lone \ufffd end\nä€𝄞\ncut off \ufffd');
      for (const frame of spool.frames) {
        expect(Buffer.from(frame.payload.toString('utf8')).equals(frame.payload)).toBe(true);
      }
    },
  },
  {
    id: 'carriage-return',
    title: 'a progress line arrives with its carriage returns while it is drawn',
    needs: ['python'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: await fixture('carriage-return-progress') });
      const steps = Array.from({ length: 11 }, (_, n) => `\r${String(n * 10).padStart(3)} %`);
      expect(spool.stdout).toBe(`${steps.join('')}\n`);
    },
  },
  {
    id: 'spool-appended',
    title: 'a script that forges an end in its log changes neither its exit nor what the server believes',
    needs: ['python'],
    run: async (bench) => {
      const workload = await bench.start({ script: await fixture('tampers-append-spool') });
      expect(await workload.exit()).toEqual({ kind: 'exited', exitCode: 3, oomKilled: false });
      const bytes = await readFile(spoolPath(workload.spec.workspace));
      expect(() => parseFrames(bytes, 0)).toThrow(SpoolDamagedError);
    },
  },
  {
    id: 'spool-truncated',
    title: 'a script that empties its log still ends with its own exit',
    needs: ['python'],
    run: async (bench) => {
      const workload = await bench.start({ script: await fixture('tampers-truncate-spool') });
      expect(await workload.exit()).toEqual({ kind: 'exited', exitCode: 0, oomKilled: false });
    },
  },
  {
    id: 'spool-replaced',
    title:
      'a script that puts a link in the place of its log ends with its own exit, and its log is put back',
    needs: ['python'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('tampers-replace-spool') });
      expect(exit).toEqual({ kind: 'exited', exitCode: 0, oomKilled: false });
      expect(spool.stdout).toBe('before\nafter\n');
      expect(spool.ended).toMatchObject({ exitCode: 0 });
    },
  },
]);

function millionLines(): Buffer {
  const fill = '.'.repeat(91);
  const lines = Array.from({ length: 1_000_000 }, (_, n) => `${String(n).padStart(7, '0')} ${fill}\n`);
  return Buffer.from(lines.join(''));
}
