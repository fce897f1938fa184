import type { EndedFrame } from '../../runner/ended.js';
import type { WorkloadExit } from '../../runtime/runtime-provider.js';
import type { StopReason } from './stop-reason.js';

/** The start of a script is seen, and stored, this much later than it happened. */
const SEEN_LATE_MS = 500;
/** Ends for which the engine has a reason, where the runner only knows that it was asked to end. */
const EXPLAINED: readonly WorkloadExit['kind'][] = ['evicted', 'deadlineExceeded', 'removed'];

/** For the owner of a job whose script could have written how it ended. */
export const UNSIGNED_HINT =
  'The image’s runner does not sign how a script ends, so the script could have written it: build the image with the ' +
  'current runner (runner-image).';

/** The end that a runner tells, as an engine would that knows it. */
export function toExit({ exitCode, signal }: EndedFrame, oomKilled: boolean): WorkloadExit {
  return { kind: 'exited', exitCode: exitCode ?? 128 + (signal ?? 0), oomKilled };
}

/** How a workload ended whose runner signed its account: the engine may have lost it, or be mistaken. */
export function believedExit(exit: WorkloadExit, ended: EndedFrame): WorkloadExit {
  if (ended.stopped && EXPLAINED.includes(exit.kind)) return exit;
  return toExit(ended, 'oomKilled' in exit && exit.oomKilled);
}

/**
 * Whether a signed end needs no word of the engine: nothing of the script is left, and the engine knows no reason that the
 * runner does not. `stoppedFor` is why this server ended it, if it did.
 */
export function isWholeStory(ended: EndedFrame, stoppedFor: StopReason | undefined): boolean {
  if (!ended.alone) return false;
  // Somebody else asked the workload to end: the engine knows whether it was evicted, deleted or out of its own time.
  if (ended.stopped && stoppedFor === undefined) return false;
  return ended.exitCode === 0 || ended.oomCounted || ended.oomKills > 0;
}

/** Whether an engine tells another end than the runner. */
export function contradicts(exit: WorkloadExit, ended: EndedFrame): boolean {
  const believed = believedExit(exit, ended);
  if (exit.kind !== 'exited' || believed.kind !== 'exited') return exit !== believed;
  return exit.exitCode !== believed.exitCode;
}

/** A script's time as this server's clocks have it, milliseconds. */
export interface ScriptTime {
  timeoutSeconds: number;
  /** When it began, since 1970; undefined when that was not seen. */
  startedAtMs: number | undefined;
  /** When its end was seen, since 1970. */
  endedAtMs: number;
  /** How long its workload was watched. */
  watchedMs: number;
  /** What it still had, by the database's clock, when the watch began; null when it had not been seen to begin. */
  deadlineInMs: number | null;
}

/** Whether a script had used up its time when its end was seen. Asked where its runner does not tell. */
export function isOverdue(time: ScriptTime): boolean {
  if (time.deadlineInMs !== null) return time.watchedMs + SEEN_LATE_MS >= time.deadlineInMs;
  const { startedAtMs, endedAtMs, watchedMs, timeoutSeconds } = time;
  const ranMs = startedAtMs === undefined ? watchedMs : endedAtMs - startedAtMs;
  return ranMs + SEEN_LATE_MS >= timeoutSeconds * 1000;
}
