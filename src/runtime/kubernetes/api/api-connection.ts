import { createHash } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { abortable } from '../../../common/async/abort.js';
import { SingleFlight } from '../../../common/async/single-flight.js';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import { linesOf } from '../../lines.js';
import { ApiStatusError, noAnswer, toStatusError } from './api.errors.js';

/** Credentials are read anew this often: a pod's token is renewed on disk while the server runs. */
const CREDENTIALS_MS = 30_000;
/** A kubeconfig may name a program or a server that logs in, and either may hang: it is asked anew after this time. */
const LOGIN_TIMEOUT_MS = 60_000;
const MAX_CONNECTIONS = 64;
const KEEP_ALIVE_MS = 30_000;
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

export interface ApiRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  contentType?: string;
}

interface Credentials {
  headers: Record<string, string>;
  agent: HttpAgent;
  fingerprint: string;
  readAtMs: number;
}

/**
 * Requests to one API server with the credentials of a kubeconfig. The client library's own calls make a TLS connection
 * each and cannot be bounded in time; its kubeconfig, with all its ways to log in, is what is used of it.
 */
export class ApiConnection {
  private credentials?: Credentials;
  private readonly loggingIn = new SingleFlight(() =>
    abortable(this.readCredentials(), AbortSignal.timeout(this.loginTimeoutMs)),
  );
  private readonly server: URL;

  constructor(
    private readonly kubeConfig: KubeConfig,
    private readonly loginTimeoutMs = LOGIN_TIMEOUT_MS,
  ) {
    const cluster = kubeConfig.getCurrentCluster();
    if (!cluster) throw new RuntimeUnavailableError('The kubeconfig names no cluster.');
    this.server = new URL(cluster.server);
  }

  /**
   * Bounded twice: the request is given up after `timeoutMs`, while `signal` ends the waiting only.
   * @throws ApiStatusError when the server refused, RuntimeUnavailableError when it did not answer
   */
  async json<T>(request: ApiRequest, timeoutMs: number, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const limit = AbortSignal.timeout(timeoutMs);
    return abortable(this.answer<T>(request, limit), signal);
  }

  /** Opens a stream of lines, bounded by `timeoutMs` until its first byte may come; `signal` ends it. */
  async lines(request: ApiRequest, timeoutMs: number, signal: AbortSignal): Promise<AsyncIterable<string>> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(new Error('no answer in time')), timeoutMs);
    const onAbort = (): void => patience.abort(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    try {
      const response = await this.send(request, patience.signal);
      response.once('close', () => signal.removeEventListener('abort', onAbort));
      response.socket.setKeepAlive(true, KEEP_ALIVE_MS);
      if (response.statusCode !== 200) throw await refusal(response);
      return linesOf(response);
    } catch (error) {
      signal.removeEventListener('abort', onAbort);
      throw toApiError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.credentials?.agent.destroy();
  }

  private async answer<T>(request: ApiRequest, limit: AbortSignal): Promise<T> {
    try {
      return await this.exchange<T>(request, limit);
    } catch (error) {
      // A connection that the server closed while it was idle, or a token that has just been replaced. Every request of
      // ours may be repeated: a create by its name, the others by their nature.
      if (!isWorthRepeating(error)) throw toApiError(error);
      this.forgetCredentials(error);
      return this.exchange<T>(request, limit).catch((again: unknown) => {
        throw toApiError(again);
      });
    }
  }

  private async exchange<T>(request: ApiRequest, limit: AbortSignal): Promise<T> {
    const response = await this.send(request, limit);
    if ((response.statusCode ?? 0) >= 300) throw await refusal(response);
    return JSON.parse(await textOf(response)) as T;
  }

  private async send(request: ApiRequest, limit: AbortSignal): Promise<IncomingMessage> {
    const { headers, agent } = await abortable(this.login(), limit);
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const options: RequestOptions = {
      method: request.method,
      agent,
      signal: limit,
      headers: {
        ...headers,
        Accept: 'application/json',
        ...(body === undefined
          ? {}
          : {
              'Content-Type': request.contentType ?? 'application/json',
              'Content-Length': Buffer.byteLength(body),
            }),
      },
    };
    const send = this.server.protocol === 'http:' ? httpRequest : httpsRequest;
    return new Promise((resolve, reject) => {
      const sent = send(this.url(request), options, resolve);
      sent.on('error', (error) => reject(sent.reusedSocket ? new StaleConnectionError(error) : error));
      sent.end(body);
    });
  }

  private url({ path, query }: ApiRequest): URL {
    const url = new URL(this.server);
    url.pathname = url.pathname.replace(/\/$/, '') + path;
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    return url;
  }

  /** One look for all requests that want one at the same time, so that they share one agent. */
  private login(): Promise<Credentials> {
    const known = this.credentials;
    if (known && Date.now() - known.readAtMs < CREDENTIALS_MS) return Promise.resolve(known);
    return this.loggingIn.run();
  }

  private async readCredentials(): Promise<Credentials> {
    const known = this.credentials;
    const options: RequestOptions = {};
    await this.kubeConfig.applyToHTTPSOptions(options);
    const fingerprint = fingerprintOf(options);
    const headers = { ...(options.headers as Record<string, string> | undefined), ...basicAuth(options) };
    const agent = known?.fingerprint === fingerprint ? known.agent : toKeptAgent(options);
    if (known && known.agent !== agent) known.agent.destroy();
    return (this.credentials = { headers, agent, fingerprint, readAtMs: Date.now() });
  }

  private forgetCredentials(error: unknown): void {
    if (error instanceof ApiStatusError && this.credentials) this.credentials.readAtMs = 0;
  }
}

class StaleConnectionError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

function isWorthRepeating(error: unknown): boolean {
  if (error instanceof StaleConnectionError) return true;
  return error instanceof ApiStatusError && error.status === 401;
}

function toApiError(error: unknown): ApiStatusError | RuntimeUnavailableError {
  if (error instanceof ApiStatusError || error instanceof RuntimeUnavailableError) return error;
  return noAnswer(error);
}

async function refusal(response: IncomingMessage): Promise<ApiStatusError> {
  return toStatusError(response.statusCode ?? 0, await textOf(response));
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The agent that the library made for these credentials, with connections that are kept. One for a proxy stays. */
function toKeptAgent({ agent }: RequestOptions): HttpAgent {
  const kept = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxSockets: MAX_CONNECTIONS };
  if (agent instanceof HttpsAgent && agent.constructor === HttpsAgent) {
    return new HttpsAgent({ ...agent.options, ...kept });
  }
  if (agent instanceof HttpAgent && agent.constructor !== HttpAgent) return agent;
  return new HttpAgent(kept);
}

function basicAuth({ auth }: RequestOptions): Record<string, string> {
  return auth ? { Authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {};
}

function fingerprintOf({ ca, cert, key }: RequestOptions): string {
  return createHash('sha256')
    .update(JSON.stringify([ca, cert, key]))
    .digest('hex');
}
