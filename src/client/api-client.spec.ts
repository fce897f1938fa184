import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { ApiClient } from './api-client.js';
import { ApiError, ConnectionError } from './api-error.js';

let answer: (request: IncomingMessage, response: ServerResponse) => void;
let http: Server;
let address: string;
beforeEach(async () => {
  http = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterEach(() => new Promise((resolve) => (http.closeAllConnections(), http.close(resolve))));

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

describe('ApiClient', () => {
  it('posts the query with the token and returns the data', async () => {
    let seen: unknown;
    answer = (request, response) => {
      void text(request).then((body) => {
        seen = {
          path: request.url,
          authorization: request.headers.authorization,
          body: JSON.parse(body) as unknown,
        };
        json(response, { data: { service: { version: '1' } } });
      });
    };
    const client = new ApiClient({ server: `${address}/maps/`, token: 't' });
    expect(await client.query('{ service { version } }', { a: 1 })).toEqual({ service: { version: '1' } });
    expect(seen).toEqual({
      path: '/maps/graphql',
      authorization: 'Bearer t',
      body: { query: '{ service { version } }', variables: { a: 1 } },
    });
    expect(client.socketUrl).toBe(`${address.replace('http', 'ws')}/maps/graphql`);
  });

  it('throws what the service says, typed', async () => {
    const extensions = { code: 'QUEUE_FULL', field: 'input', retryAfterMs: 5, requestId: 'r' };
    answer = (_request, response) =>
      json(response, { data: null, errors: [{ message: 'Full.', extensions }] });
    const error: unknown = await new ApiClient({ server: address }).query('{ a }').catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ ...extensions, message: 'Full.' });
  });

  it.each([undefined, new AbortController().signal])(
    'does not wait for ever for an answer',
    async (signal) => {
      jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
      try {
        const asked = new Promise<void>((resolve) => (answer = () => resolve()));
        const query = new ApiClient({ server: address }).query('{ a }', {}, signal);
        const refused = expect(query).rejects.toThrow(/no answer in time/);
        await asked;
        jest.advanceTimersByTime(61_000);
        await refused;
      } finally {
        jest.useRealTimers();
      }
    },
  );

  it('says when something else answers', async () => {
    answer = (_request, response) => response.writeHead(502, 'Bad Gateway').end('<html>');
    await expect(new ApiClient({ server: address }).query('{ a }')).rejects.toThrow(
      /answered 502 Bad Gateway/,
    );
  });

  it('says where nobody listens', async () => {
    const client = new ApiClient({ server: 'http://127.0.0.1:9' });
    const error: unknown = await client.query('{ a }').catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConnectionError);
    expect((error as Error).message).toMatch(/^Cannot reach http:\/\/127\.0\.0\.1:9 \(.+\)\.$/);
  });

  it('opens downloads on the address of the service only', async () => {
    answer = (request, response) => response.end(request.url);
    const client = new ApiClient({ server: address });
    expect(await (await client.download('/jobs/1/outputs/a%20b')).text()).toBe('/jobs/1/outputs/a%20b');
    await expect(client.download('@elsewhere.example/x')).rejects.toBeInstanceOf(ConnectionError);
  });

  it('throws the error of a refused download', async () => {
    answer = (_request, response) =>
      json(response, { errors: [{ message: 'Gone.', extensions: { code: 'NOT_FOUND' } }] }, 404);
    await expect(new ApiClient({ server: address }).download('/x')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it.each(['localhost:8000', 'ftp://host', ''])('refuses the address %j', (server) => {
    expect(() => new ApiClient({ server })).toThrow(/not an http/);
  });
});
