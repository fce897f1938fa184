import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { ApiClient } from '../client/api-client.js';
import type { JobLogEvent } from '../client/api-types.js';
import type { FollowOptions } from '../client/follow-job-logs.js';
import { followJobLogs } from '../client/follow-job-logs.js';
import { JobApi } from '../client/job-api.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './usage-error.js';

const DEFAULT_SERVER = 'http://127.0.0.1:8000';
const CONNECT_TIMEOUT_MS = 10_000;
/** A service that is being replaced is back before this; one that is gone should be said to be gone. */
const FOLLOW_PATIENCE_MS = 5 * 60_000;

/** What every command works with. */
export interface Context {
  client: ApiClient;
  api: JobApi;
  terminal: Terminal;
  follow(options: Pick<FollowOptions, 'jobId' | 'after'>): AsyncGenerator<JobLogEvent, void, undefined>;
}

export function createContext(
  server: string | undefined,
  env: NodeJS.ProcessEnv,
  terminal: Terminal,
): Context {
  const client = new ApiClient({
    server: server ?? (env.MAPS_SERVER || DEFAULT_SERVER),
    token: tokenOf(env),
  });
  return {
    client,
    api: new JobApi(client),
    terminal,
    follow: (options) =>
      followJobLogs({
        ...options,
        url: client.socketUrl,
        token: client.token,
        webSocketImpl: PatientSocket,
        patienceMs: FOLLOW_PATIENCE_MS,
        onBreak: (fault, failures) => {
          // Once: the tries that follow fail for the same reason, and a dozen lines say no more.
          if (failures === 0)
            terminal.note(`${fault.message} Trying again; the log goes on where it was left.`);
        },
      }),
  };
}

/** Never a flag: the arguments of a process are seen by every user of the machine. */
function tokenOf(env: NodeJS.ProcessEnv): string | undefined {
  if (env.MAPS_API_TOKEN) return env.MAPS_API_TOKEN;
  if (!env.MAPS_API_TOKEN_FILE) return undefined;
  try {
    return readFileSync(env.MAPS_API_TOKEN_FILE, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`MAPS_API_TOKEN_FILE cannot be read: ${(error as Error).message}.`);
  }
}

/** A host that swallows packets must not hold a connection attempt for minutes. */
class PatientSocket extends WebSocket {
  constructor(address: string, protocols: string[]) {
    super(address, protocols, { handshakeTimeout: CONNECT_TIMEOUT_MS, perMessageDeflate: false });
    // The protocol's client takes its listener off before a socket that it gave up has said why it failed.
    this.on('error', () => {});
  }
}
