import { describe, expect, it } from '@jest/globals';
import type { WorkloadRecord } from './workload-record.js';
import type { WorkloadState } from './workload-state.js';
import { parseOutcome, parseSandboxStatus, toExit } from './workload-state.js';

const record: WorkloadRecord = {
  version: 1,
  scope: 'here',
  installationId: 'test',
  isolation: 'bubblewrap',
  jobId: 'job',
  attempt: 1,
  createdAtMs: 0,
  outputDir: '/data/outputs/x',
};
const ended: WorkloadState = {
  name: 'runner-x',
  record,
  hasStartLock: true,
  supervisor: { pid: 2, startTime: '1' },
  sandbox: { childPid: 3, pidNamespace: 4, exitCode: 7 },
  outcome: { kind: 'ended', status: 7 },
  complaint: '',
};
const bare = { ...ended, record: { ...record, isolation: 'none' as const }, sandbox: {} };

describe('parseOutcome', () => {
  it('knows nothing before there is a whole line', () => {
    expect([undefined, '', '13'].map(parseOutcome)).toEqual([undefined, undefined, undefined]);
  });

  it('reads an exit status, and that nothing was started', () => {
    expect(parseOutcome('137\n')).toEqual({ kind: 'ended', status: 137 });
    expect(parseOutcome('not-started\n')).toEqual({ kind: 'notStarted' });
  });
});

describe('parseSandboxStatus', () => {
  const child = '{ "child-pid": 12, "ipc-namespace": 1, "pid-namespace": 99 }\n';

  it('reads the child and, when there is one, its exit code', () => {
    expect(parseSandboxStatus(child)).toMatchObject({ childPid: 12, pidNamespace: 99, exitCode: undefined });
    expect(parseSandboxStatus(`${child}{ "exit-code": 0 }\n`)).toMatchObject({ childPid: 12, exitCode: 0 });
  });

  it('leaves a half written line for later', () => {
    expect(parseSandboxStatus(`${child}{ "exit-code": 1`).exitCode).toBeUndefined();
    expect(parseSandboxStatus('')).toEqual({});
  });
});

describe('toExit', () => {
  it('believes bwrap about a runner that was executed', () => {
    expect(toExit(ended, true)).toEqual({ kind: 'exited', exitCode: 7, oomKilled: true });
    expect(toExit({ ...ended, outcome: undefined }, false)).toMatchObject({ kind: 'exited', exitCode: 7 });
  });

  it('calls a workload never started whose start lock nobody has taken', () => {
    expect(toExit({ ...ended, hasStartLock: false, outcome: undefined, sandbox: {} }, false)).toEqual({
      kind: 'neverStarted',
    });
  });

  it('calls it a failed start when bwrap ended by itself before it had executed the runner', () => {
    const failed = { ...ended, sandbox: { childPid: 3 }, outcome: { kind: 'ended', status: 1 } as const };
    expect(toExit({ ...failed, complaint: 'bwrap: no such folder' }, false)).toMatchObject({
      kind: 'startFailed',
      failure: { kind: 'failed', retryable: true, message: expect.stringContaining('bwrap: no such folder') },
    });
  });

  it('calls it a failed start when the cgroups could not be joined, with and without a sandbox', () => {
    const outcome = { kind: 'notStarted' } as const;
    expect(toExit({ ...ended, sandbox: {}, outcome }, false)).toMatchObject({ kind: 'startFailed' });
    expect(toExit({ ...bare, outcome }, false)).toMatchObject({ kind: 'startFailed' });
  });

  it('calls it lost when bwrap was killed, since its sandbox may have run to any end', () => {
    const killed = { ...ended, sandbox: { childPid: 3 }, outcome: { kind: 'ended', status: 137 } as const };
    expect(toExit(killed, false)).toMatchObject({ kind: 'lost' });
  });

  it('calls it lost when the supervisor has left no word, and never a success', () => {
    expect(toExit({ ...ended, sandbox: {}, outcome: undefined }, false)).toMatchObject({ kind: 'lost' });
    expect(toExit({ ...bare, outcome: undefined }, false)).toMatchObject({ kind: 'lost' });
    expect(toExit({ ...bare, record: undefined }, false)).toMatchObject({ kind: 'lost' });
  });

  it('takes the status of the shell where there is no sandbox', () => {
    expect(toExit(bare, false)).toEqual({ kind: 'exited', exitCode: 7, oomKilled: false });
  });
});
