import { describe, expect, it } from '@jest/globals';
import { exited } from '../../../test/support/runtimes/fake/fake-workload.js';
import { evidenceOf } from '../../../test/support/runtimes/script-evidence.js';
import type { EndedFrame } from '../../runner/ended.js';
import type { WorkloadExit } from '../../runtime/runtime-provider.js';
import type { Evidence } from './outcome.js';
import { decideOutcome, signalName, startFailure } from './outcome.js';
import { readPod } from '../../runtime/kubernetes/pod/pod-verdict.js';
import { toExit } from '../../runtime/process/workload/workload-state.js';

function decide(exit: WorkloadExit, frame: Partial<EndedFrame> | undefined, more: Partial<Evidence> = {}) {
  return decideOutcome(evidenceOf(exit, frame, more));
}

describe('what became of a script', () => {
  it('that the engine ended by its own deadline has timed out, or never begun', () => {
    expect(decide({ kind: 'deadlineExceeded' }, undefined)).toMatchObject({
      state: 'TIMED_OUT',
      reason: 'TIMEOUT',
    });
    expect(decide({ kind: 'deadlineExceeded' }, undefined, { started: false })).toMatchObject({
      state: 'FAILED',
      reason: 'START_FAILED',
      retryable: true,
    });
  });

  it('on a machine that was lost is lost; one that had not begun may begin elsewhere', () => {
    const exit: WorkloadExit = { kind: 'nodeLost', message: 'The node n does not answer.' };
    expect(decide(exit, undefined)).toMatchObject({ state: 'LOST', reason: 'NODE_LOST', retryable: false });
    expect(decide(exit, undefined, { started: false })).toMatchObject({
      reason: 'NODE_LOST',
      retryable: true,
    });
  });

  it.each([
    ['ends with 0', exited(0), {}, 'SUCCEEDED', 'EXIT_ZERO'],
    [
      'ends with 0 although a child was out of memory',
      exited(0, true),
      { oomKills: 1 },
      'SUCCEEDED',
      'EXIT_ZERO',
    ],
    ['ends with 3', exited(3), { exitCode: 3 }, 'FAILED', 'EXIT_NONZERO'],
    ['calls sys.exit(137)', exited(137), { exitCode: 137 }, 'FAILED', 'EXIT_NONZERO'],
    ['is killed', exited(137), { exitCode: null, signal: 9 }, 'FAILED', 'SIGNAL'],
    [
      'is killed by the out-of-memory killer',
      exited(137),
      { exitCode: null, signal: 9, oomKills: 1 },
      'FAILED',
      'OUT_OF_MEMORY',
    ],
    [
      'fails after its child was out of memory',
      exited(1),
      { exitCode: 1, oomKills: 1 },
      'FAILED',
      'OUT_OF_MEMORY',
    ],
    ['dies with its runner, out of memory', exited(137, true), undefined, 'FAILED', 'OUT_OF_MEMORY'],
    ['dies with its runner, by whom ever', exited(137), undefined, 'FAILED', 'EVICTED'],
    ['dies with its runner by a fault of it', exited(139), undefined, 'FAILED', 'SIGNAL'],
    ['times out', exited(143), { exitCode: null, signal: 15, timedOut: true }, 'TIMED_OUT', 'TIMEOUT'],
    ['ends well inside the grace', exited(0), { timedOut: true }, 'TIMED_OUT', 'TIMEOUT'],
    [
      'fills the disk',
      exited(137),
      { exitCode: null, signal: 9, diskExceeded: true },
      'FAILED',
      'DISK_LIMIT',
    ],
    [
      'is asked to end by the platform',
      exited(143),
      { exitCode: null, signal: 15, stopped: true },
      'FAILED',
      'EVICTED',
    ],
    [
      'ends well because the platform asked it to end',
      exited(0),
      { exitCode: 0, stopped: true },
      'FAILED',
      'EVICTED',
    ],
    [
      'needs too much memory while it ends as the platform asked',
      exited(1),
      { exitCode: 1, stopped: true, oomKills: 1 },
      'FAILED',
      'EVICTED',
    ],
    ['ended before its engine died', exited(255), { exitCode: 0 }, 'SUCCEEDED', 'EXIT_ZERO'],
    ['failed before its engine died', exited(255), { exitCode: 3 }, 'FAILED', 'EXIT_NONZERO'],
    ['was killed before its engine died', exited(255), { exitCode: null, signal: 9 }, 'FAILED', 'SIGNAL'],
    [
      'timed out before its engine died',
      exited(255),
      { exitCode: 0, timedOut: true },
      'TIMED_OUT',
      'TIMEOUT',
    ],
    ['ends with the runner’s own code', exited(121), { exitCode: 121 }, 'FAILED', 'EXIT_NONZERO'],
    ['ends with 255', exited(255), { exitCode: 255 }, 'FAILED', 'EXIT_NONZERO'],
    ['dies with its engine', exited(255), undefined, 'LOST', 'RUNTIME_LOST'],
    ['vanishes', { kind: 'lost', message: 'gone' }, { exitCode: 0 }, 'LOST', 'RUNTIME_LOST'],
    ['is removed', { kind: 'removed' }, { exitCode: 0 }, 'LOST', 'DELETED_EXTERNALLY'],
    ['is evicted', { kind: 'evicted', message: 'node pressure' }, undefined, 'FAILED', 'EVICTED'],
  ] as [string, WorkloadExit, Partial<EndedFrame> | undefined, string, string][])(
    'that %s',
    (_, exit, frame, state, reason) => {
      expect(decide(exit, frame)).toMatchObject({ state, reason });
    },
  );

  it('follows the engine where the runner’s account contradicts it', () => {
    expect(decide(exited(1), { exitCode: 0 })).toMatchObject({
      state: 'FAILED',
      reason: 'EXIT_NONZERO',
      exitCode: 1,
    });
    expect(decide(exited(0), { exitCode: 1, timedOut: true })).toMatchObject({
      state: 'SUCCEEDED',
      exitCode: 0,
    });
    expect(decide(exited(137), { exitCode: 0 })).toMatchObject({ state: 'FAILED', signal: 'SIGKILL' });
  });

  it('is its own end when a cancel came too late', () => {
    expect(decide(exited(0), {}, { stoppedFor: 'cancel' })).toMatchObject({ state: 'SUCCEEDED' });
    expect(decide(exited(3), { exitCode: 3 }, { stoppedFor: 'cancel' })).toMatchObject({ exitCode: 3 });
    // The script cannot say of itself that nobody stopped it.
    expect(decide(exited(143), {}, { stoppedFor: 'cancel' })).toMatchObject({ state: 'CANCELLED' });
  });

  it('is its own end when our deadline came too late to end it', () => {
    expect(decide(exited(0), {}, { stoppedFor: 'deadline' })).toMatchObject({ state: 'SUCCEEDED' });
    expect(decide(exited(0), { timedOut: true }, {})).toMatchObject({ state: 'TIMED_OUT' });
    expect(decide(exited(137), undefined, { stoppedFor: 'deadline' })).toMatchObject({ state: 'TIMED_OUT' });
  });

  it('puts a cancel before everything, and our deadline before what the script did with it', () => {
    expect(decide(exited(0), { timedOut: true }, { stoppedFor: 'cancel' })).toMatchObject({
      state: 'CANCELLED',
    });
    expect(decide(exited(137, true), undefined, { stoppedFor: 'deadline' })).toMatchObject({
      state: 'TIMED_OUT',
    });
    expect(decide({ kind: 'lost', message: '' }, undefined, { stoppedFor: 'cancel' })).toMatchObject({
      state: 'CANCELLED',
    });
  });

  it('that ran without the engine’s knowing is lost unless its runner told its end, and never tried again', () => {
    const failure = { kind: 'failed', message: 'id already in use', retryable: true } as const;
    for (const exit of [
      { kind: 'startFailed', failure } as const,
      { kind: 'neverStarted' } as const,
      exited(121),
    ]) {
      const outcome = decide(exit, undefined);
      expect(outcome).toMatchObject({ state: 'LOST', reason: 'RUNTIME_LOST', retryable: false });
      expect(decide(exit, { exitCode: 3 })).toMatchObject({ reason: 'EXIT_NONZERO', exitCode: 3 });
    }
  });

  it('is the platform’s fault, and worth another try, when the script never began', () => {
    for (const exit of [
      exited(122),
      exited(124),
      exited(143),
      exited(1),
      { kind: 'neverStarted' } as const,
    ]) {
      expect(decide(exit, undefined, { started: false })).toMatchObject({
        reason: 'START_FAILED',
        retryable: true,
      });
    }
    const failure = {
      kind: 'imageUnavailable',
      message: 'no image',
      hint: 'docker build',
      retryable: false,
    } as const;
    expect(decide({ kind: 'startFailed', failure }, undefined, { started: false })).toMatchObject({
      reason: 'IMAGE_UNAVAILABLE',
      message: 'no image',
      hint: 'docker build',
      retryable: false,
    });
  });

  it('says what keeps a network open that a job must not have', () => {
    expect(decide(exited(117), undefined, { started: false })).toMatchObject({
      state: 'FAILED',
      reason: 'START_FAILED',
      message: 'The network did not close, so a job without network was not begun.',
      hint: expect.stringContaining('k8s/network-policy.yaml'),
      retryable: true,
    });
    expect(decide(exited(117), { exitCode: 117 })).toMatchObject({ reason: 'EXIT_NONZERO' });
  });

  it('names signals as people know them', () => {
    expect([signalName(9), signalName(11), signalName(64)]).toEqual(['SIGKILL', 'SIGSEGV', 'SIG64']);
  });
});

describe('the message of a job', () => {
  const LINES = "bwrap: Can't mkdir parents for /newroot/srv/maps/a\nat 10.0.0.1 \n";

  it('has nothing of the host that a sandbox program complains of', () => {
    const record = {
      version: 1 as const,
      scope: 'here',
      installationId: 'test',
      isolation: 'bubblewrap' as const,
      jobId: 'job',
      attempt: 1,
      createdAtMs: 0,
      outputDir: '/srv/maps/outputs/x',
    };
    const outcome = { kind: 'ended', status: 1 } as const;
    const state = {
      name: 'runner-x',
      record,
      hasStartLock: true,
      supervisor: undefined,
      sandbox: {},
      outcome,
    };
    const exit = toExit({ ...state, complaint: LINES.repeat(50) }, false);
    const { message } = decide(exit, undefined, { started: false });
    expect(message).toMatch(/^The sandbox could not be set up: bwrap: Can't mkdir parents for … at … bwrap/);
    expect(message).not.toMatch(/srv|\n|10\.0/);
    expect(message.length).toBeLessThanOrEqual(500);
  });

  it('has no path of the node and no address that a cluster tells', () => {
    const waiting = {
      reason: 'CreateContainerError',
      message: 'failed to mount "/var/lib/kubelet/pods/1/volumes":\n dial tcp 10.0.0.1:443',
    };
    const verdict = readPod({
      metadata: { name: 'p', uid: 'u', resourceVersion: '1', creationTimestamp: '2030-01-01T00:00:00Z' },
      spec: {},
      status: { phase: 'Pending', containerStatuses: [{ image: 'i', state: { waiting } }] },
    });
    if (verdict.kind !== 'hindered') throw new Error(verdict.kind);
    expect(startFailure(verdict.hindrance.failure).message).toBe(
      'The container could not be started (CreateContainerError): failed to mount "…": dial tcp …',
    );
  });

  it.each(['evicted', 'nodeLost', 'lost'] as const)('names no machine: %s', (kind) => {
    const exit = { kind, message: 'Preempted by x on node-7\nof /srv/maps', machine: 'node-7' };
    for (const started of [true, false])
      expect(decide(exit, undefined, { started }).message).toMatch(
        /^Preempted by x on … of …( Its script had not begun\.)?$/,
      );
  });
});
