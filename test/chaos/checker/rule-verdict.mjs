import { ofState } from './states.mjs';
import { ofType, startsOf } from './records.mjs';

/** As many attempts that began nothing a job may have before it is given up (docs/errors.md, START_FAILED). */
const PLATFORM_TRIES = 4;

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
 * Ends that are the platform's fault and documented; only where the script of the last attempt never began. RUNTIME_LOST
 * is told of an attempt whose server died after it had prepared the start and before the engine had it (Recovery): that
 * nothing runs cannot be proven then.
 */
export function isPermitted(record) {
  const { final, plan } = record;
  if (!final || startsOf(record).some(({ attempt }) => attempt === final.attempt)) return false;
  if (final.state === 'LOST' && final.reason === 'RUNTIME_LOST') return true;
  if (final.reason === 'START_FAILED') return final.attempt >= PLATFORM_TRIES;
  // Cancelled before anything ran, which is as good.
  return plan.end.state === final.state;
}

/** Whoever asked for an end and was answered gets it. */
export function cancelsAreKept(record) {
  const asked = ofType(record, 'cancelled').length > 0;
  const { final } = record;
  if (!asked || !final || final.state === 'CANCELLED' || isPermitted(record)) return [];
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
