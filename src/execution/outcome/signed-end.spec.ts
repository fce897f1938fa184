import { describe, expect, it } from '@jest/globals';
import { exited } from '../../../test/support/runtimes/fake/fake-workload.js';
import { ENDED, evidenceOf } from '../../../test/support/runtimes/script-evidence.js';
import type { EndedFrame } from '../../runner/ended.js';
import type { WorkloadExit } from '../../runtime/runtime-provider.js';
import type { Evidence, Outcome } from './outcome.js';
import { decideOutcome } from './outcome.js';
import { contradicts, isOverdue, isWholeStory } from './signed-end.js';

const GONE = { message: 'gone' };
const KILLED = { exitCode: null, signal: 9 };

function decide(
  exit: WorkloadExit,
  frame: Partial<EndedFrame> | undefined,
  more: Partial<Evidence> = {},
): Outcome {
  return decideOutcome(evidenceOf(exit, frame, { isSigned: true, ...more }));
}

describe('an end that the runner signed', () => {
  it.each([
    ['another code', exited(1), {}, 'SUCCEEDED', 'EXIT_ZERO'],
    ['a success', exited(0), { exitCode: 3 }, 'FAILED', 'EXIT_NONZERO'],
    ['a success of a script that timed out', exited(0), { timedOut: true }, 'TIMED_OUT', 'TIMEOUT'],
    ['nothing', { kind: 'lost', ...GONE }, {}, 'SUCCEEDED', 'EXIT_ZERO'],
    ['that its machine is lost', { kind: 'nodeLost', ...GONE }, KILLED, 'FAILED', 'SIGNAL'],
    ['that somebody removed the workload', { kind: 'removed' }, {}, 'SUCCEEDED', 'EXIT_ZERO'],
    ['that the engine died', exited(255), { exitCode: 3 }, 'FAILED', 'EXIT_NONZERO'],
    ['that it was killed, for want of memory', exited(137, true), KILLED, 'FAILED', 'OUT_OF_MEMORY'],
    ['an eviction that came too late', { kind: 'evicted', ...GONE }, {}, 'SUCCEEDED', 'EXIT_ZERO'],
  ] as [string, WorkloadExit, Partial<EndedFrame>, string, string][])(
    'is believed where the engine tells %s',
    (_, exit, frame, state, reason) => {
      expect(decide(exit, frame)).toMatchObject({ state, reason });
      expect(contradicts(exit, { ...ENDED, ...frame })).toBe(
        !('exitCode' in exit) || exit.exitCode !== (frame.signal ? 137 : (frame.exitCode ?? 0)),
      );
    },
  );

  it('leaves the engine its reason for a stop', () => {
    const stopped = { ...KILLED, stopped: true };
    expect(decide({ kind: 'removed' }, stopped)).toMatchObject({ reason: 'DELETED_EXTERNALLY' });
    expect(decide({ kind: 'deadlineExceeded' }, stopped)).toMatchObject({ reason: 'TIMEOUT' });
    expect(decide({ kind: 'evicted', message: 'node pressure' }, stopped)).toMatchObject({
      message: 'node pressure',
    });
    expect(decide({ kind: 'lost', ...GONE }, stopped)).toMatchObject({ reason: 'EVICTED' });
    expect(contradicts({ kind: 'removed' }, { ...ENDED, ...stopped })).toBe(false);
  });

  it('that nobody stopped is its own, whatever was asked for too late', () => {
    for (const stoppedFor of ['cancel', 'deadline', 'startTimeout'] as const)
      expect(decide(exited(0), {}, { stoppedFor })).toMatchObject({ state: 'SUCCEEDED' });
    expect(
      decide(exited(143), { exitCode: 143, stopped: true }, { stoppedFor: 'startTimeout' }),
    ).toMatchObject({
      reason: 'START_FAILED',
      retryable: false,
    });
  });
});

describe('a signed end needs no word of the engine', () => {
  it.each<[string, Partial<EndedFrame>, 'cancel' | undefined, boolean]>([
    ['when the script ended with 0', { oomCounted: false }, undefined, true],
    ['when it failed and kills for memory were counted', { exitCode: 1 }, undefined, true],
    ['when this server stopped it', { ...KILLED, stopped: true }, 'cancel', true],
    ['but when something of it was left', { alone: false }, undefined, false],
    ['but when it was stopped by somebody else', { exitCode: 0, stopped: true }, undefined, false],
    ['but when kills for memory could not be counted', { ...KILLED, oomCounted: false }, undefined, false],
  ])('%s', (_, frame, stoppedFor, isWhole) => {
    expect(isWholeStory({ ...ENDED, ...frame }, stoppedFor)).toBe(isWhole);
  });
});

describe('an end that the runner should have signed, and did not,', () => {
  it('is the engine’s code, whichever it is', () => {
    for (const code of [117, 118, 119, 122, 123, 124, 125])
      expect(decide(exited(code), undefined)).toMatchObject({
        reason: 'EXIT_NONZERO',
        exitCode: code,
        retryable: false,
      });
    expect(decide(exited(121), undefined)).toMatchObject({ state: 'LOST', retryable: false });
    expect(decide(exited(0), undefined)).toMatchObject({ state: 'SUCCEEDED' });
  });

  it('is late when its time was over, and cancelled when it was cancelled', () => {
    expect(decide(exited(0), undefined, { isOverdue: true })).toMatchObject({ state: 'TIMED_OUT' });
    expect(decide(exited(0), undefined, { isOverdue: true, stoppedFor: 'cancel' })).toMatchObject({
      state: 'CANCELLED',
    });
    expect(decide({ kind: 'lost', ...GONE }, undefined, { isOverdue: true })).toMatchObject({
      state: 'LOST',
    });
  });
});

describe('the time of a script', () => {
  const time = { timeoutSeconds: 10, startedAtMs: 1_000, endedAtMs: 0, watchedMs: 0, deadlineInMs: null };

  it('is over by the start that was seen', () => {
    expect(isOverdue({ ...time, endedAtMs: 11_000 })).toBe(true);
    expect(isOverdue({ ...time, endedAtMs: 10_000 })).toBe(false);
  });

  it('is over by what it still had when another server took it over', () => {
    expect(isOverdue({ ...time, endedAtMs: 99_000, deadlineInMs: 5_000, watchedMs: 4_000 })).toBe(false);
    expect(isOverdue({ ...time, deadlineInMs: 5_000, watchedMs: 5_000 })).toBe(true);
    expect(isOverdue({ ...time, deadlineInMs: -1 })).toBe(true);
  });

  it('is over by the watch where no start was seen', () => {
    const unseen = { ...time, startedAtMs: undefined, endedAtMs: 99_000 };
    expect([9_000, 10_000].map((watchedMs) => isOverdue({ ...unseen, watchedMs }))).toEqual([false, true]);
  });
});
