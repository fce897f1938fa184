import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { awaitsSignal, childrenOf, isAlive, parseStat, readStat, startedWith } from './process-table.js';

const TAIL = 'S 41 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 10 18446744073709551615';

describe('parseStat', () => {
  it('reads past names with spaces and brackets', () => {
    expect(parseStat(`42 (a) b (c) ${TAIL}`)).toEqual({
      pid: 42,
      state: 'S',
      parentPid: 41,
      startTime: '98765',
    });
  });

  it('makes nothing of a line that is no such line', () => {
    expect([parseStat(''), parseStat('42 (sh'), parseStat('42 (sh) S 1')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('the process table', () => {
  it('knows a process by pid and start time', () => {
    const self = readStat(process.pid)!;
    expect(isAlive(self)).toBe(true);
    expect(isAlive({ ...self, startTime: '1' })).toBe(false);
    expect(isAlive({ pid: 2 ** 22 + 1, startTime: self.startTime })).toBe(false);
  });

  it('finds children, and processes by argument and environment', async () => {
    const child = spawn('/bin/sleep', ['300'], { env: { TAG: 'process-table-spec' } });
    try {
      await once(child, 'spawn');
      expect(childrenOf(process.pid)).toContain(child.pid);
      expect(startedWith(['TAG=process-table-spec'])).toEqual([child.pid]);
      expect(startedWith(['300'])).toContain(child.pid);
      expect(startedWith(['TAG=process'])).toEqual([]);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  it('tells who awaits a signal', async () => {
    const child = spawn('/bin/sh', ['-c', 'trap : USR2; echo ready; read line'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect([awaitsSignal(child.pid!, 12), awaitsSignal(child.pid!, 15)]).toEqual([true, false]);
    child.stdin.end();
    await once(child, 'exit');
  });
});
