import { constants } from 'node:os';
import type { JobReason } from '../../jobs/record/job-reason.js';
import type { TerminalState } from '../../jobs/record/job-state.js';
import type { EndedFrame } from '../../runner/ended.js';
import { RUNNER_EXIT_CODES, RUNNER_REFUSALS } from '../../runner/exit-codes.js';
import { publicMessage } from '../../runtime/public-message.js';
import type { StartFailure, WorkloadExit } from '../../runtime/runtime-provider.js';
import { believedExit, toExit } from './signed-end.js';
import type { StopReason } from './stop-reason.js';

/** Everything that is known about how an attempt ended. */
export interface Evidence {
  exit: WorkloadExit;
  /** The runner's own account; believed where it is signed, else only where the engine's exit agrees. */
  ended: EndedFrame | undefined;
  /** Whether the runner signs its account, so that no script could have written it. */
  isSigned: boolean;
  /** Whether the script had used up its time, where the runner should have signed how it ended and did not. */
  isOverdue: boolean;
  /** Whether the script ran or may have run. False is proof that it did not. */
  started: boolean;
  /** Why we stopped the workload before it ended; undefined when we did not. */
  stoppedFor: StopReason | undefined;
  timeoutSeconds: number;
  memoryMb: number;
  maxOutputBytes: number;
}

export interface Outcome {
  state: TerminalState;
  reason: JobReason;
  exitCode: number | null;
  /** Name of a signal, such as SIGKILL. */
  signal: string | null;
  /** A sentence for the job's owner. */
  message: string;
  hint: string | null;
  /** The platform's fault before the script ran, and trying again may help. */
  retryable: boolean;
}

/** What Docker reports for a container that died with its engine or its host: not the script's code. */
const UNKNOWN_EXIT_CODE = 255;

/**
 * What became of the script. Pure. The order of the checks is the precedence: a cancel before the end, our deadline, our
 * limits, eviction, out of memory, signal, exit code.
 */
export function decideOutcome(found: Evidence): Outcome {
  const evidence = completed({ ...found, exit: withPublicMessage(found.exit) });
  return stoppedByUs(evidence) ?? brokenOff(evidence) ?? endedByItself(evidence);
}

/** An engine's words come in here and in `startFailure` only, and pass `publicMessage` at both, whatever the runtime. */
function withPublicMessage(exit: WorkloadExit): WorkloadExit {
  return 'message' in exit ? { ...exit, message: publicMessage(exit) } : exit;
}

/** Where the runner signed its account, or the engine does not know how a run ended, the runner's account is used. */
function completed(evidence: Evidence): Evidence {
  const { exit, ended, isSigned } = evidence;
  if (ended && isSigned) return { ...evidence, exit: believedExit(exit, ended) };
  // After a stop an engine may not tell any more what became of the workload.
  const isUnknown = isExitUnknown(exit) || (exit.kind === 'lost' && evidence.stoppedFor !== undefined);
  return ended && isUnknown ? { ...evidence, exit: toExit(ended, false) } : evidence;
}

/**
 * Whether the engine may not know how the script ended, although the log shows that it ran. An engine that is killed in
 * the middle of a start forgets the run: afterwards it refuses to start the workload, or starts it a second time, which
 * the runner refuses.
 */
function isExitUnknown(exit: WorkloadExit): boolean {
  if (exit.kind !== 'exited') return exit.kind === 'startFailed' || exit.kind === 'neverStarted';
  return exit.exitCode === UNKNOWN_EXIT_CODE || exit.exitCode === RUNNER_EXIT_CODES.spoolInUse;
}

function stoppedByUs(evidence: Evidence): Outcome | undefined {
  const { stoppedFor, ended } = evidence;
  const how = howItEnded(evidence);
  // A stop may arrive after the script has ended by itself: the engine, or this server, may have been away.
  const wasInTime = how.isAgreed && endedUnstopped(ended);
  if (stoppedFor === 'cancel' && !wasInTime) {
    return outcome('CANCELLED', 'CANCELLED_BY_USER', 'The job was cancelled.', { ...how });
  }
  const isLate = evidence.isOverdue && (how.exitCode !== null || how.signal !== null);
  if ((stoppedFor === 'deadline' && !wasInTime) || isLate || (ended?.timedOut && how.isAgreed)) {
    return timedOut(evidence.timeoutSeconds, how);
  }
  if (stoppedFor === 'startTimeout' && !wasInTime) return beganTooLate(evidence.started);
  if (ended?.diskExceeded && how.isAgreed && !isCleanEnd(how)) {
    const message = `The script wrote more than ${megabytes(evidence.maxOutputBytes)} to /output.`;
    return outcome('FAILED', 'DISK_LIMIT', message, {
      ...how,
      hint: 'Write less, or raise MAX_OUTPUT_BYTES.',
    });
  }
  return undefined;
}

function endedUnstopped(ended: EndedFrame | undefined): boolean {
  return ended !== undefined && !ended.stopped && !ended.timedOut && !ended.diskExceeded;
}

/** The platform could not start the script, and its job was cancelled meanwhile. */
export function cancelledBefore(): Outcome {
  return outcome('CANCELLED', 'CANCELLED_BY_USER', 'The job was cancelled before its script began.');
}

/** Ends that are not the script's own. */
function brokenOff(evidence: Evidence): Outcome | undefined {
  const { exit, ended, started } = evidence;
  if (started && !ended && isExitUnknown(exit)) return forgotten(exit);
  switch (exit.kind) {
    case 'startFailed':
      return startFailure(exit.failure);
    case 'neverStarted':
      return outcome('FAILED', 'START_FAILED', 'The workload was made but never started.', {
        retryable: true,
      });
    case 'evicted':
      return outcome('FAILED', 'EVICTED', exit.message, { retryable: !started });
    case 'deadlineExceeded':
      return engineDeadline(evidence);
    case 'nodeLost':
      return outcome('LOST', 'NODE_LOST', exit.message, { retryable: !started });
    case 'removed':
      return outcome('LOST', 'DELETED_EXTERNALLY', 'The workload was removed while the job ran.', {
        hint: 'Somebody or something outside this service deleted it.',
        retryable: !started,
      });
    case 'lost':
      return started
        ? outcome('LOST', 'RUNTIME_LOST', exit.message)
        : outcome('FAILED', 'ABANDONED', `${exit.message} Its script had not begun.`, { retryable: true });
    case 'exited':
    case 'signalled':
      return undefined;
  }
}

/** Never to be tried again: the script runs, or has run. */
function forgotten(exit: WorkloadExit): Outcome {
  if (exit.kind === 'exited' && exit.exitCode === UNKNOWN_EXIT_CODE) {
    return outcome('LOST', 'RUNTIME_LOST', 'The engine stopped and does not know how the workload ended.');
  }
  const message = 'The engine was restarted while it started the workload, and does not know of it any more.';
  return outcome('LOST', 'RUNTIME_LOST', message, {
    hint: 'The script began, and may run until its time limit; nothing tells how it ends.',
  });
}

/** The engine's deadline allows for the start and for the runner's own deadline before it. */
function engineDeadline({ started, timeoutSeconds }: Evidence): Outcome {
  return started ? timedOut(timeoutSeconds) : beganTooLate(started);
}

function timedOut(timeoutSeconds: number, how?: HowItEnded): Outcome {
  return outcome('TIMED_OUT', 'TIMEOUT', `The script did not end within its ${timeoutSeconds} s.`, {
    ...how,
    hint: 'Raise timeoutSeconds, or do less in one job.',
  });
}

function beganTooLate(started: boolean): Outcome {
  const message = 'The workload was started but the script did not begin in time.';
  return outcome('FAILED', 'START_FAILED', message, { retryable: !started });
}

function endedByItself(evidence: Evidence): Outcome {
  const { exit, ended, started } = evidence;
  const how = howItEnded(evidence);
  if (!started) return neverBegan(how);
  // Checked before the exit code: a script that was asked to stop and exits with 0 has not done its work.
  if (ended?.stopped && how.isAgreed) {
    return outcome('FAILED', 'EVICTED', 'The platform asked the workload to end.', how);
  }
  if (isCleanEnd(how)) return outcome('SUCCEEDED', 'EXIT_ZERO', 'The script ended normally.', how);
  const wasOutOfMemory = (ended?.oomKills ?? 0) > 0 || ('oomKilled' in exit && exit.oomKilled);
  if (wasOutOfMemory) {
    const message = `The script needed more than its ${evidence.memoryMb} MiB of memory.`;
    return outcome('FAILED', 'OUT_OF_MEMORY', message, {
      ...how,
      hint: 'Raise memoryMb, or work on smaller pieces.',
    });
  }
  // The script cannot kill its runner, and had the script been killed alone, the runner would have reported its end.
  if (how.signal === 'SIGKILL' && !ended) {
    return outcome('FAILED', 'EVICTED', 'The workload was killed from outside.', {
      ...how,
      hint: 'Its engine or its machine may have been stopped.',
    });
  }
  if (how.signal) return outcome('FAILED', 'SIGNAL', `The script was ended by ${how.signal}.`, how);
  return outcome('FAILED', 'EXIT_NONZERO', `The script ended with code ${how.exitCode}.`, how);
}

function neverBegan(how: HowItEnded): Outcome {
  const refusal = RUNNER_REFUSALS[how.exitCode ?? 0];
  const message = refusal?.message ?? 'The workload ended before the script began.';
  const hint = refusal?.hint ?? 'If it stays so, look at the workload’s own log and at the runner image.';
  return outcome('FAILED', 'START_FAILED', message, { retryable: true, hint });
}

interface HowItEnded {
  exitCode: number | null;
  signal: string | null;
  /** The engine's exit and the runner's account say the same. */
  isAgreed: boolean;
}

/** The engine knows one number. The runner says whether it means a code or a signal, when both accounts agree. */
function howItEnded({ exit, ended }: Evidence): HowItEnded {
  if (exit.kind === 'signalled') return { exitCode: null, signal: signalName(exit.signal), isAgreed: false };
  if (exit.kind !== 'exited') return { exitCode: null, signal: null, isAgreed: false };
  const code = exit.exitCode;
  if (ended && ended.signal !== null && 128 + ended.signal === code) {
    return { exitCode: null, signal: signalName(ended.signal), isAgreed: true };
  }
  if (ended && ended.signal === null && ended.exitCode === code)
    return { exitCode: code, signal: null, isAgreed: true };
  // Without the runner's last words only a signal can have ended it above 128.
  if (code > 128 && code <= 128 + 64)
    return { exitCode: null, signal: signalName(code - 128), isAgreed: false };
  return { exitCode: code, signal: null, isAgreed: false };
}

function isCleanEnd(how: HowItEnded): boolean {
  return how.exitCode === 0;
}

const START_REASONS: Readonly<Record<StartFailure['kind'], JobReason>> = {
  imageUnavailable: 'IMAGE_UNAVAILABLE',
  unschedulable: 'UNSCHEDULABLE',
  refused: 'START_FAILED',
  failed: 'START_FAILED',
};

export function startFailure(failure: StartFailure): Outcome {
  const { hint, retryable } = failure;
  return outcome('FAILED', START_REASONS[failure.kind], publicMessage(failure), {
    hint: hint ?? null,
    retryable,
  });
}

export function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `SIG${number}`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / (1024 * 1024))} MiB`;
}

function outcome(
  state: TerminalState,
  reason: JobReason,
  message: string,
  more: Partial<Outcome> = {},
): Outcome {
  const { exitCode = null, signal = null, hint = null, retryable = false } = more;
  return { state, reason, message, exitCode, signal, hint, retryable };
}
