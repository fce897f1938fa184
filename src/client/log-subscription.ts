import { createClient } from 'graphql-ws';
import type { JobLogEvent } from './api-types.js';
import { CHUNK_FIELDS, JOB_FIELDS } from './api-types.js';
import { toApiError } from './api-error.js';
import { EventQueue } from './event-queue.js';
import { toSocketFault } from './socket-fault.js';

export interface SocketOptions {
  /** `ws://host:port/graphql` */
  url: string;
  token?: string;
  /** A WebSocket class; needed where the platform has none, such as Node 20: `import WebSocket from 'ws'`. */
  webSocketImpl?: unknown;
}

const DOCUMENT = `subscription Follow($jobId: ID!, $after: String) {
  jobLogs(jobId: $jobId, after: $after) { chunks { ${CHUNK_FIELDS} } job { ${JOB_FIELDS} } damage } }`;

const PING_MS = 15_000;
const PONG_PATIENCE_MS = 10_000;
const ACK_PATIENCE_MS = 10_000;

/** A socket that can stop reading, which makes the service wait for a slow consumer; browsers' cannot. */
interface Pausable {
  pause?(): void;
  resume?(): void;
}

/**
 * One subscription over one connection of its own. The loop over it ends when the service completes it, and throws
 * `ApiError` for what another try cannot mend, `ConnectionError` for what it can.
 */
export async function* subscribeToLogs(
  options: SocketOptions,
  variables: { jobId: string; after?: string },
  signal?: AbortSignal,
): AsyncGenerator<JobLogEvent, void, undefined> {
  let socket: Pausable | undefined;
  let isPaused = false;
  let pongTimer: ReturnType<typeof setTimeout> | undefined;
  const queue = new EventQueue<JobLogEvent>((paused) => {
    isPaused = paused;
    if (paused) socket?.pause?.();
    else socket?.resume?.();
  });
  const client = createClient({
    url: options.url,
    webSocketImpl: options.webSocketImpl,
    connectionParams: options.token === undefined ? undefined : { authorization: `Bearer ${options.token}` },
    // The library would repeat the first `after`, and with it everything seen since.
    retryAttempts: 0,
    connectionAckWaitTimeout: ACK_PATIENCE_MS,
    keepAlive: PING_MS,
    on: {
      connected: (opened) => (socket = opened as Pausable),
      // A peer that vanished without a word is only found by its silence. While we do not read, silence is ours.
      ping: (received) => {
        if (received) return;
        clearTimeout(pongTimer);
        pongTimer = setTimeout(() => isPaused || client.terminate(), PONG_PATIENCE_MS);
      },
      pong: (received) => received && clearTimeout(pongTimer),
    },
  });
  const unsubscribe = client.subscribe<{ jobLogs: JobLogEvent }>(
    { query: DOCUMENT, variables },
    {
      next: ({ data, errors }) => {
        if (errors?.length) queue.close(toApiError(errors));
        else if (data) queue.push(data.jobLogs, weightOf(data.jobLogs));
      },
      error: (error) => queue.close(toSocketFault(error)),
      complete: () => queue.close(),
    },
  );
  const abort = (): void => queue.abort(signal?.reason as Error);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    signal?.throwIfAborted();
    yield* queue.drain();
  } finally {
    signal?.removeEventListener('abort', abort);
    clearTimeout(pongTimer);
    // A paused socket would not hear the answer to its farewell.
    socket?.resume?.();
    unsubscribe();
  }
}

/** About what an event takes in memory. */
function weightOf(event: JobLogEvent): number {
  return event.chunks.reduce((sum, chunk) => sum + chunk.text.length + 200, 200);
}
