import { ofState } from './states.mjs';
import { ofType, startsOf } from './records.mjs';

/** How many attempts that began nothing a job has before it is given up, by the reason it then has (docs/errors.md). */
const PLATFORM_TRIES = { START_FAILED: 4, ABANDONED: 20 };

/** A job ends as its script did, unless it was cancelled; the platform's own ends are the documented ones. */
export function verdictIsTrue(record) {
  const { final, plan } = record;
  if (!final || record.isDiskTouched || isPermitted(record)) return [];
  const { state, reason, exitCode } = plan.end;
  const isRight =
    final.state === state && final.reason === reason && (exitCode ?? final.exitCode) === final.exitCode;
  return isRight ? [] : [`it is ${ofState(final)} (${final.message}), and should be ${state} (${reason})`];
}

/**
 * Ends that are the platform's fault and documented: a job is given up after so many attempts of which no script ran.
 * LOST is none of them, since workloads outlive their server, and a start that nobody saw through is proven void.
 */
export function isPermitted(record) {
  const { final } = record;
  if (!final || !(final.attempt >= PLATFORM_TRIES[final.reason])) return false;
  return !startsOf(record).some(({ attempt }) => attempt === final.attempt);
}

/** Whoever asked for an end and was answered gets it, unless the answer was that the job had ended. */
export function cancelsAreKept(record) {
  const { final } = record;
  if (!final || final.state === 'CANCELLED' || isPermitted(record)) return [];
  // That it should not have ended by then is for `verdictIsTrue` to say.
  if (ofType(record, 'cancelled').every(({ state }) => state === final.state)) return [];
  return [`it was cancelled, and is ${ofState(final)}`];
}

/** The deadline holds while no server runs. */
export function deadlineHolds(record) {
  const { final, plan } = record;
  if (plan.end.state !== 'TIMED_OUT' || typeof final?.wallMs !== 'number') return [];
  const latestMs = plan.input.timeoutSeconds * 1000 + GRACE_AND_SLACK_MS;
  return final.wallMs <= latestMs
    ? []
    : [`it ran for ${final.wallMs} ms; its limit was ${plan.input.timeoutSeconds} s`];
}

/** STOP_GRACE_SECONDS of the run, and what a busy machine takes to look. */
const GRACE_AND_SLACK_MS = 5_000;
