import { setTimeout as sleep } from 'node:timers/promises';

const ANSWER_TIMEOUT_MS = 10_000;
const AGAIN_MS = 150;
/** Errors of the API after which it is not known whether the work was done. */
const UNKNOWN = new Set([
  'CONNECTION_FAILED',
  'INTERNAL_SERVER_ERROR',
  'RUNTIME_UNAVAILABLE',
  'DATABASE_UNAVAILABLE',
]);

/**
 * Sends a job as a careful client does: one with a key again until there is an answer, one without only once. Returns
 * its id, or undefined where the answer was lost or the job refused.
 */
export async function submit(plan, api, history, signal) {
  for (;;) {
    history.add('submitted', { plan: plan.name });
    try {
      const { id } = await api.run(plan.input, timely(signal));
      history.add('accepted', { plan: plan.name, jobId: id });
      return id;
    } catch (error) {
      signal.throwIfAborted();
      history.add('unanswered', { plan: plan.name, error: error.message, isKnown: !isUnknown(error) });
      if (!isUnknown(error) || !plan.input.idempotencyKey) return undefined;
      await sleep(AGAIN_MS, undefined, { signal });
    }
  }
}

/** Repeats what is safe to repeat until it is answered. */
export async function untilAnswered(ask, signal) {
  for (;;) {
    try {
      return await ask(timely(signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!isUnknown(error)) throw error;
      await sleep(AGAIN_MS, undefined, { signal });
    }
  }
}

function isUnknown(error) {
  return UNKNOWN.has(error.code);
}

/** A proxy that is silent must not hold a client for ever. Node 20 would collect an `AbortSignal.timeout` before its time. */
function timely(signal) {
  const limit = new AbortController();
  setTimeout(() => limit.abort(), ANSWER_TIMEOUT_MS).unref();
  return AbortSignal.any([signal, limit.signal]);
}
