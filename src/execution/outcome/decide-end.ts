import type { StartFailure } from '../../runtime/runtime-provider.js';
import type { Evidence, Outcome } from './outcome.js';
import { cancelledBefore, decideOutcome } from './outcome.js';
import type { EarlierTries } from './retry-policy.js';
import { retryDelayMs } from './retry-policy.js';

/** Nobody can say how the attempt ended: its engine is out of this server's reach, and no other server came back. */
export interface OutOfReach {
  /** The runtime that the attempt is on. */
  readonly theirs: string;
  /** The runtime of this server. */
  readonly ours: string;
}

/** What the job's row and its other attempts say. */
export interface JobHistory {
  readonly isCancelRequested: boolean;
  readonly earlier: EarlierTries;
}

/** Everything that is known when an attempt is over. */
export interface EndEvidence extends JobHistory {
  readonly attempt: Evidence | OutOfReach;
}

export interface AttemptEnd {
  /** What became of the attempt's script. */
  readonly attempt: Outcome;
  /** What becomes of the job: its end, or a wait for another attempt. */
  readonly job: { readonly ends: Outcome } | { readonly waitsMs: number };
}

/** A job of which nothing but its attempt counts. */
export const NO_HISTORY: JobHistory = {
  isCancelRequested: false,
  earlier: { started: 0, notStarted: 0, retries: 0 },
};

/**
 * What becomes of an attempt and of its job. Pure, and the only place that decides it: `decideOutcome` says how the script
 * ended, `retryDelayMs` whether the job is tried again. A cancel ends every job that would go on otherwise; a script that
 * came to its own end before the cancel keeps that end.
 */
export function decideEnd({ attempt: found, isCancelRequested, earlier }: EndEvidence): AttemptEnd {
  if (!('exit' in found)) return ends(outOfReach(found));
  const attempt = decideOutcome({ ...found, stoppedFor: stopReason(found, isCancelRequested) });
  const waitsMs = retryDelayMs(attempt, found.started, earlier);
  if (!isCancelRequested) return waitsMs === undefined ? ends(attempt) : { attempt, job: { waitsMs } };
  if (attempt.retryable && !found.started) return { attempt, job: { ends: cancelledBefore() } };
  return waitsMs === undefined ? ends(attempt) : { attempt, job: { ends: cancelledBetween(attempt) } };
}

/** Whether the job's history has no say: the script did its work, and nobody stopped it. Most attempts end so. */
export function isDecidedAlone(found: Evidence): boolean {
  return !found.ended?.stopped && !hasUntoldEnd(found) && decideOutcome(found).state === 'SUCCEEDED';
}

/** The evidence of an attempt whose workload could not be started. */
export function notStarted(
  failure: StartFailure,
): Pick<Evidence, 'exit' | 'ended' | 'started' | 'stoppedFor' | 'isSigned' | 'isOverdue'> {
  return {
    exit: { kind: 'startFailed', failure },
    ended: undefined,
    started: false,
    stoppedFor: undefined,
    isSigned: false,
    isOverdue: false,
  };
}

/** A script that began, and whose runner could not say how it ended, or was kept from it. */
export function hasUntoldEnd(found: Pick<Evidence, 'isSigned' | 'started' | 'ended'>): boolean {
  return found.isSigned && found.started && found.ended === undefined;
}

/**
 * A server before this one may have passed a cancel on and died before it saw the end. This one may then have come after the
 * deadline, and have stopped for that what had ended in its time.
 */
function stopReason(found: Evidence, isCancelRequested: boolean): Evidence['stoppedFor'] {
  const mayBeStopped = found.ended?.stopped === true || hasUntoldEnd(found);
  const isOpen =
    found.stoppedFor === undefined || (found.stoppedFor === 'deadline' && wasStoppedInTime(found));
  return isOpen && mayBeStopped && isCancelRequested ? 'cancel' : found.stoppedFor;
}

function wasStoppedInTime({ ended, timeoutSeconds }: Evidence): boolean {
  return ended?.stopped === true && ended.wallSeconds < timeoutSeconds;
}

function ends(attempt: Outcome): AttemptEnd {
  return { attempt, job: { ends: attempt } };
}

/** The job was cancelled, and only its next attempt could have heard of it. */
function cancelledBetween({ exitCode, signal }: Outcome): Outcome {
  const message = 'The job was cancelled before its next attempt.';
  return {
    state: 'CANCELLED',
    reason: 'CANCELLED_BY_USER',
    message,
    exitCode,
    signal,
    hint: null,
    retryable: false,
  };
}

/** Whether the script ran is not known, so it is not tried again however many retries there are. */
function outOfReach({ theirs, ours }: OutOfReach): Outcome {
  return {
    state: 'LOST',
    reason: 'RUNTIME_LOST',
    message: `The job ran on ${theirs}, which this server (${ours}) cannot reach, and no other server came back.`,
    exitCode: null,
    signal: null,
    hint: 'The engine, the host or its boot changed while the job ran.',
    retryable: false,
  };
}
