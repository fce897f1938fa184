import { createClient } from 'graphql-ws';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { fromDist } from '../../../tools/paths.mjs';

const AGAIN_MS = 200;
const TERMINAL = new Set(['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'CANCELLED', 'LOST']);
const UPDATES = `subscription ($id: ID!) {
  jobUpdated(jobId: $id) { id state reason exitCode attempt } }`;

/** Closed before it is open, as at the end of a run, it says so by an error that nobody listens for any more. */
class QuietSocket extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols);
    this.on('error', () => undefined);
  }
}

function isTerminal(state) {
  return TERMINAL.has(state);
}

/** Follows a job's log with the project's own helper, from the last cursor after each break, and records each chunk. */
export async function followLog(jobId, socketUrl, history, signal) {
  const { followJobLogs } = await fromDist('client/follow-job-logs.js');
  const options = { url: socketUrl, jobId, webSocketImpl: QuietSocket, signal, waitMs: () => AGAIN_MS };
  for (let after; ;) {
    try {
      for await (const event of followJobLogs({ ...options, after })) {
        after = event.chunks.at(-1)?.cursor ?? after;
        recordLog(history, 'live', jobId, event);
        if (event.job) return;
      }
    } catch (error) {
      signal.throwIfAborted();
      // The helper believes a service only so often that its fault will pass; here it always does.
      if (error.code !== 'INTERNAL_SERVER_ERROR') return history.add('refused', refusal('log', jobId, error));
      await sleep(AGAIN_MS, undefined, { signal });
    }
  }
}

/** Adds what one event of a log brought. */
export function recordLog(history, follower, jobId, { chunks, job, damage }) {
  for (const { seq, attempt, stream, text, droppedBytes } of chunks)
    history.add('chunk', { follower, jobId, seq, attempt, stream, text, droppedBytes });
  if (damage) history.add('damage', { follower, jobId, damage });
  if (job) history.add('logEnd', { follower, jobId, state: job.state });
}

/** Follows a job's states over broken connections until a final one. */
export async function followState(jobId, socketUrl, history, signal) {
  while (!signal.aborted) {
    const last = await statesOnce(jobId, socketUrl, history, signal);
    if (last === 'refused' || isTerminal(last)) return;
    await sleep(AGAIN_MS, undefined, { signal });
  }
}

/** The states that one connection brought; returns the last of them. */
async function statesOnce(jobId, url, history, signal) {
  const client = createClient({ url, webSocketImpl: QuietSocket, retryAttempts: 0 });
  const stop = () => client.terminate();
  signal.addEventListener('abort', stop, { once: true });
  let last;
  try {
    for await (const { data, errors } of client.iterate({ query: UPDATES, variables: { id: jobId } })) {
      if (errors) throw errors;
      last = data.jobUpdated.state;
      history.add('observed', { observer: 'jobUpdated', ...observation(data.jobUpdated) });
    }
  } catch (error) {
    // What else breaks a subscription passes.
    if (codeOf(error) !== 'NOT_FOUND') return last;
    history.add('refused', refusal('jobUpdated', jobId, { code: 'NOT_FOUND' }));
    return 'refused';
  } finally {
    signal.removeEventListener('abort', stop);
    void client.dispose();
  }
  return last;
}

/** What of a job as the API tells it is compared over time. */
export function observation({ id, state, reason, exitCode, attempt }) {
  return { jobId: id, state, reason, exitCode, attempt };
}

function refusal(observer, jobId, { code, message }) {
  return { observer, jobId, code, message };
}

function codeOf(thrown) {
  return Array.isArray(thrown) ? thrown[0]?.extensions?.code : undefined;
}
