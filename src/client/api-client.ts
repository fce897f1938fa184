import { ApiError, ConnectionError, isWireErrors, toApiError } from './api-error.js';

export interface ApiClientOptions {
  /** Address of the service, for example `http://127.0.0.1:8000`; a path before `/graphql` is kept. */
  server: string;
  token?: string;
  fetch?: typeof fetch;
}

/** Long enough for any query; a service that takes longer is not well. */
const QUERY_TIMEOUT_MS = 60_000;

/** GraphQL over HTTP, and downloads. Knows no operation. Throws `ApiError` and `ConnectionError`. */
export class ApiClient {
  readonly server: string;
  readonly token?: string;
  private readonly fetch: typeof fetch;

  constructor(options: ApiClientOptions) {
    this.server = toAddress(options.server);
    this.token = options.token;
    this.fetch = options.fetch ?? fetch;
  }

  /** Where subscriptions are served. */
  get socketUrl(): string {
    return `${this.server.replace(/^http/, 'ws')}/graphql`;
  }

  async query<T>(document: string, variables: object = {}, signal?: AbortSignal): Promise<T> {
    // Not `AbortSignal.timeout`: Node 20 collects it before its time where `AbortSignal.any` alone has it.
    const limit = new AbortController();
    const giveUp = (): void => limit.abort(new DOMException('no answer in time', 'TimeoutError'));
    const timer = setTimeout(giveUp, QUERY_TIMEOUT_MS);
    try {
      return await this.ask<T>(
        JSON.stringify({ query: document, variables }),
        // eslint-disable-next-line no-restricted-syntax -- a timer holds the limit, and the client has nothing of src/common
        signal ? AbortSignal.any([signal, limit.signal]) : limit.signal,
      );
    } finally {
      clearTimeout(timer);
    }
  }

  /** Opens a download. `path` is the `url` of an output, which may come from anywhere: it must not change the host. */
  async download(path: string, method: 'GET' | 'POST' = 'GET', signal?: AbortSignal): Promise<Response> {
    if (!path.startsWith('/')) throw new ConnectionError(`This is not a path of the service: ${path}`);
    const response = await this.request(path, { method }, signal);
    if (response.ok) return response;
    const { errors } = await this.readJson(response);
    throw isWireErrors(errors) ? toApiError(errors) : notOurs(this.server, response);
  }

  private async ask<T>(body: string, signal: AbortSignal): Promise<T> {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const response = await this.request('/graphql', { method: 'POST', headers, body }, signal);
    const answer = await this.readJson(response);
    if (isWireErrors(answer.errors)) throw toApiError(answer.errors);
    if (!answer.data) throw notOurs(this.server, response);
    return answer.data as T;
  }

  private async request(path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token !== undefined) headers.set('authorization', `Bearer ${this.token}`);
    try {
      return await this.fetch(`${this.server}${path}`, { ...init, headers, signal });
    } catch (error) {
      throw this.toConnectionError(error, signal);
    }
  }

  private async readJson(response: Response): Promise<{ data?: unknown; errors?: unknown }> {
    const text = await response.text().catch((error: unknown) => {
      throw this.toConnectionError(error);
    });
    try {
      return (JSON.parse(text) ?? {}) as { data?: unknown; errors?: unknown };
    } catch {
      throw notOurs(this.server, response);
    }
  }

  private toConnectionError(error: unknown, signal?: AbortSignal): unknown {
    if (signal?.aborted && (signal.reason as Error | undefined)?.name !== 'TimeoutError')
      return signal.reason;
    return new ConnectionError(`Cannot reach ${this.server} (${whyOf(error)}).`, { cause: error });
  }
}

function toAddress(server: string): string {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new ApiError('BAD_USER_INPUT', `${JSON.stringify(server)} is not an http:// or https:// address.`);
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function notOurs(server: string, response: Response): ConnectionError {
  return new ConnectionError(
    `${server} answered ${`${response.status} ${response.statusText}`.trim()}, and not as this service does.`,
  );
}

/** fetch says "fetch failed" and hides why in its cause; several addresses tried give several causes. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const cause: unknown = error.cause instanceof AggregateError ? error.cause.errors[0] : error.cause;
  const { code, message } = (cause ?? error) as { code?: unknown; message?: string };
  return typeof code === 'string' ? code : (message ?? error.message);
}
