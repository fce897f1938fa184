import { describe, expect, it } from '@jest/globals';
import { exited } from '../../../test/support/runtimes/fake/fake-workload.js';
import { LIMITS, evidenceOf } from '../../../test/support/runtimes/script-evidence.js';
import type { EndedFrame } from '../../runner/ended.js';
import type { StartFailure } from '../../runtime/runtime-provider.js';
import type { AttemptEnd, JobHistory } from './decide-end.js';
import { NO_HISTORY, decideEnd, isDecidedAlone, notStarted } from './decide-end.js';
import type { Evidence } from './outcome.js';

const ENGINE: StartFailure = { kind: 'failed', message: 'The engine said no.', retryable: true };
const NO_IMAGE: StartFailure = { kind: 'imageUnavailable', message: 'no image', retryable: false };

function ran(exitCode: number, frame: Partial<EndedFrame> = {}, more: Partial<Evidence> = {}): Evidence {
  return evidenceOf(exited(exitCode), { exitCode, ...frame }, more);
}

function refused(failure: StartFailure): Evidence {
  return { ...notStarted(failure), ...LIMITS };
}

/** `FAILED EXIT_NONZERO`, or `waits 1000`. */
function shown({ job }: AttemptEnd): string {
  return 'waitsMs' in job ? `waits ${job.waitsMs}` : `${job.ends.state} ${job.ends.reason}`;
}

const history = (started: number, notStartedBefore: number, retries: number): JobHistory => ({
  isCancelRequested: false,
  earlier: { started, notStarted: notStartedBefore, retries },
});

describe('what becomes of a job whose attempt is over', () => {
  it.each<[string, Evidence, JobHistory, string, string]>([
    ['did its work', ran(0), history(0, 0, 3), 'SUCCEEDED EXIT_ZERO', 'SUCCEEDED EXIT_ZERO'],
    [
      'failed, and nobody asked for retries',
      ran(3),
      history(0, 0, 0),
      'FAILED EXIT_NONZERO',
      'FAILED EXIT_NONZERO',
    ],
    ['failed, with retries left', ran(3), history(0, 0, 1), 'waits 1000', 'CANCELLED CANCELLED_BY_USER'],
    ['failed once more', ran(3), history(1, 0, 2), 'waits 2000', 'CANCELLED CANCELLED_BY_USER'],
    ['failed for the last time', ran(3), history(2, 5, 2), 'FAILED EXIT_NONZERO', 'FAILED EXIT_NONZERO'],
    [
      'timed out, with retries left',
      ran(143, { exitCode: null, signal: 15, timedOut: true }),
      history(0, 0, 1),
      'waits 1000',
      'CANCELLED CANCELLED_BY_USER',
    ],
    ['could not begin', refused(ENGINE), history(0, 0, 0), 'waits 1000', 'CANCELLED CANCELLED_BY_USER'],
    [
      'could not begin, time after time',
      refused(ENGINE),
      history(0, 3, 9),
      'FAILED START_FAILED',
      'CANCELLED CANCELLED_BY_USER',
    ],
    [
      'could never begin',
      refused(NO_IMAGE),
      history(0, 0, 9),
      'FAILED IMAGE_UNAVAILABLE',
      'FAILED IMAGE_UNAVAILABLE',
    ],
    [
      'was asked to end by somebody',
      ran(143, { exitCode: null, signal: 15, stopped: true }),
      history(0, 0, 0),
      'FAILED EVICTED',
      'CANCELLED CANCELLED_BY_USER',
    ],
    [
      'was stopped for a cancel',
      ran(143, { exitCode: null, signal: 15, stopped: true }, { stoppedFor: 'cancel' }),
      history(0, 0, 4),
      'CANCELLED CANCELLED_BY_USER',
      'CANCELLED CANCELLED_BY_USER',
    ],
    [
      'did its work before the stop arrived',
      ran(0, {}, { stoppedFor: 'cancel' }),
      history(0, 0, 4),
      'SUCCEEDED EXIT_ZERO',
      'SUCCEEDED EXIT_ZERO',
    ],
  ])('that %s', (_, attempt, known, expected, ifCancelled) => {
    expect(shown(decideEnd({ attempt, ...known }))).toBe(expected);
    expect(shown(decideEnd({ attempt, ...known, isCancelRequested: true }))).toBe(ifCancelled);
  });

  it('is a cancel that a server passed on, also where the next one comes after the deadline', () => {
    const endOf = (wallSeconds: number, stoppedFor?: 'deadline', isCancelRequested = true): string => {
      const attempt = ran(143, { exitCode: null, signal: 15, stopped: true, wallSeconds }, { stoppedFor });
      return shown(decideEnd({ attempt, ...history(0, 0, 0), isCancelRequested }));
    };
    expect(endOf(4)).toBe('CANCELLED CANCELLED_BY_USER');
    expect(endOf(4, 'deadline')).toBe('CANCELLED CANCELLED_BY_USER');
    expect(endOf(5, 'deadline')).toBe('TIMED_OUT TIMEOUT');
    expect(endOf(4, 'deadline', false)).toBe('TIMED_OUT TIMEOUT');
  });

  it('is never a wait once it was cancelled, whatever happened', () => {
    const attempts = [ran(0), ran(1), ran(137), refused(ENGINE), refused(NO_IMAGE)];
    for (const attempt of attempts)
      for (const known of [history(0, 0, 0), history(0, 0, 9), history(3, 3, 9)])
        expect(decideEnd({ attempt, ...known, isCancelRequested: true }).job).toHaveProperty('ends');
  });

  it('keeps how the script ended apart from how the job does', () => {
    const cancelled = { ...history(0, 0, 1), isCancelRequested: true };
    expect(decideEnd({ attempt: ran(3), ...cancelled })).toMatchObject({
      attempt: { state: 'FAILED', exitCode: 3 },
      job: { ends: { exitCode: 3, message: 'The job was cancelled before its next attempt.' } },
    });
    // The attempt is retired as one that may be tried again, although its job ends.
    expect(decideEnd({ attempt: refused(ENGINE), ...cancelled })).toMatchObject({
      attempt: { retryable: true },
      job: { ends: { message: 'The job was cancelled before its script began.' } },
    });
  });

  it('is lost where no server reaches the engine, and not tried again', () => {
    const attempt = { theirs: 'docker', ours: 'process' };
    for (const isCancelRequested of [false, true]) {
      const { job } = decideEnd({ attempt, ...history(0, 0, 9), isCancelRequested });
      expect(job).toMatchObject({ ends: { state: 'LOST', reason: 'RUNTIME_LOST' } });
    }
  });

  it('is decided without the job only where the job has no say', () => {
    const asked: Evidence[] = [
      ran(0),
      ran(0, { stopped: true }),
      ran(1),
      refused(ENGINE),
      ran(0, {}, { started: false }),
    ];
    expect(asked.map(isDecidedAlone)).toEqual([true, false, false, false, false]);
    for (const attempt of asked.filter(isDecidedAlone)) {
      const alone = decideEnd({ attempt, ...NO_HISTORY });
      expect(decideEnd({ attempt, ...history(1, 1, 9), isCancelRequested: true })).toEqual(alone);
    }
  });
});
