import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import { ApiConnection } from './api-connection.js';
import { ApiStatusError } from './api.errors.js';

const PODS = { method: 'GET', path: '/api/v1/pods' } as const;
const PATIENCE_MS = 60_000;

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const json =
  (body: unknown, status = 200): Answer =>
  (response) =>
    void response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
const raw =
  (body: string, status = 200): Answer =>
  (response) =>
    void response.writeHead(status).end(body);
const cut: Answer = (response) => void response.socket?.destroy();
const silent: Answer = () => undefined;

describe('ApiConnection', () => {
  let server: Server;
  let connection: ApiConnection;
  let answers: Answer[];
  let requests: IncomingMessage[];
  let sockets: Set<Socket>;

  beforeEach(async () => {
    answers = [];
    requests = [];
    sockets = new Set();
    server = createServer((request, response) => {
      requests.push(request);
      (answers.shift() ?? json({ kind: 'PodList' }))(response, request);
    });
    server.on('connection', (socket) => sockets.add(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    connection = connectTo((server.address() as AddressInfo).port);
  });

  afterEach(async () => {
    connection.close();
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });

  const configOf = (port: number, path = ''): KubeConfig => {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromClusterAndUser(
      { name: 'c', server: `http://127.0.0.1:${port}${path}`, skipTLSVerify: true },
      { name: 'u', token: 'secret-token' },
    );
    return kubeConfig;
  };
  const connectTo = (port: number, path = ''): ApiConnection => new ApiConnection(configOf(port, path));

  it('sends what it is asked to, with its credentials', async () => {
    const port = (server.address() as AddressInfo).port;
    const behindPath = connectTo(port, '/k8s/clusters/c-1/');
    let body = '';
    answers.push((response, request) => {
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => json({ ok: true })(response, request));
    });
    const request = {
      method: 'PATCH',
      path: '/api/v1/pods/a',
      query: { x: 'a b=c' },
      body: { ä: 1 },
      contentType: 'application/merge-patch+json',
    } as const;
    expect(await behindPath.json(request, PATIENCE_MS)).toEqual({ ok: true });
    expect(requests[0]).toMatchObject({ method: 'PATCH', url: '/k8s/clusters/c-1/api/v1/pods/a?x=a+b%3Dc' });
    expect(requests[0]?.headers).toMatchObject({
      authorization: 'Bearer secret-token',
      'content-type': 'application/merge-patch+json',
      accept: 'application/json',
    });
    expect(body).toBe('{"ä":1}');
    behindPath.close();
  });

  it('makes its requests over one connection, one after the other', async () => {
    for (let n = 0; n < 5; n += 1) await connection.json(PODS, PATIENCE_MS);
    expect(sockets.size).toBe(1);
  });

  it('logs in again once when a token is refused', async () => {
    answers.push(json({ reason: 'Unauthorized', message: 'Unauthorized' }, 401));
    expect(await connection.json(PODS, PATIENCE_MS)).toEqual({ kind: 'PodList' });
    expect(requests).toHaveLength(2);
  });

  it('gives up a token that stays refused', async () => {
    const refused = json({ reason: 'Unauthorized', message: 'Unauthorized' }, 401);
    answers.push(refused, refused);
    const asked = connection.json(PODS, PATIENCE_MS);
    await expect(asked).rejects.toThrow(expect.objectContaining({ status: 401, reason: 'Unauthorized' }));
    expect(requests).toHaveLength(2);
  });

  it('repeats once what was sent over a kept connection that the server closed', async () => {
    await connection.json(PODS, PATIENCE_MS);
    answers.push(cut);
    expect(await connection.json(PODS, PATIENCE_MS)).toEqual({ kind: 'PodList' });
    expect(requests).toHaveLength(3);
    expect(sockets.size).toBe(2);
  });

  it('does not repeat what was sent over a new connection that broke', async () => {
    answers.push(cut);
    await expect(connection.json(PODS, PATIENCE_MS)).rejects.toThrow(RuntimeUnavailableError);
    expect(requests).toHaveLength(1);
  });

  it('is unavailable while its login hangs, and logs in anew after a while', async () => {
    const kubeConfig = configOf((server.address() as AddressInfo).port);
    const login = kubeConfig.applyToHTTPSOptions.bind(kubeConfig);
    kubeConfig.applyToHTTPSOptions = () => {
      kubeConfig.applyToHTTPSOptions = login;
      return new Promise(() => undefined);
    };
    const behindLogin = new ApiConnection(kubeConfig, 200);
    await expect(behindLogin.json(PODS, 100)).rejects.toThrow(RuntimeUnavailableError);
    await expect(behindLogin.lines(PODS, 10, new AbortController().signal)).rejects.toThrow(
      RuntimeUnavailableError,
    );
    await expect(behindLogin.json(PODS, PATIENCE_MS)).rejects.toThrow(RuntimeUnavailableError);
    expect(requests).toEqual([]);
    expect(await behindLogin.json(PODS, PATIENCE_MS)).toEqual({ kind: 'PodList' });
    behindLogin.close();
  });

  it('is unavailable behind a server that accepts and says nothing', async () => {
    answers.push(silent);
    await expect(connection.json(PODS, 100)).rejects.toThrow(RuntimeUnavailableError);
    expect(requests).toHaveLength(1);
  });

  it('is unavailable behind a server that stops in the middle of its answer', async () => {
    answers.push((response) => void response.writeHead(200).write('{"kind":'));
    await expect(connection.json(PODS, 100)).rejects.toThrow(RuntimeUnavailableError);
    answers.push((response) => {
      response.writeHead(200, { 'Content-Length': '100' }).write('{"kind":');
      response.socket?.end();
    });
    await expect(connection.json(PODS, PATIENCE_MS)).rejects.toThrow(RuntimeUnavailableError);
  });

  it('is unavailable where nobody listens', async () => {
    await new Promise((resolve) => server.close(resolve));
    await expect(connection.json(PODS, PATIENCE_MS)).rejects.toThrow(RuntimeUnavailableError);
  });

  it.each(['', '<html>login</html>', '{"kind":'])('takes no garbage for an answer: %j', async (body) => {
    answers.push(raw(body));
    await expect(connection.json(PODS, PATIENCE_MS)).rejects.toThrow(RuntimeUnavailableError);
  });

  it.each([
    [503, '{"reason":"ServiceUnavailable","message":"no etcd"}', 'ServiceUnavailable', 'no etcd'],
    [502, '<html>Bad Gateway</html>', '', 'status 502'],
    [500, '', '', 'status 500'],
    [429, '{"reason":"TooManyRequests","message":7}', 'TooManyRequests', 'status 429'],
    [404, 'null', '', 'status 404'],
    [302, '', '', 'status 302'],
  ])('passes a refusal on with its words: %i %s', async (status, body, reason, message) => {
    answers.push(raw(body, status));
    const asked = connection.json(PODS, PATIENCE_MS);
    await expect(asked).rejects.toThrow(ApiStatusError);
    await expect(asked).rejects.toMatchObject({ status, reason, message });
    expect(requests).toHaveLength(1);
  });

  it('ends the waiting with the reason of the signal', async () => {
    answers.push(silent);
    const abort = new AbortController();
    const asked = connection.json(PODS, PATIENCE_MS, abort.signal);
    abort.abort(new Error('no more'));
    await expect(asked).rejects.toThrow('no more');
    await expect(connection.json(PODS, PATIENCE_MS, abort.signal)).rejects.toThrow('no more');
  });

  describe('a stream of lines', () => {
    const never = new AbortController().signal;

    it('gives lines as they come, and ends with the stream', async () => {
      answers.push((response) => {
        response.writeHead(200).write('one\ntw');
        response.write('o\nthr');
        response.end('ee\n');
      });
      const lines: string[] = [];
      for await (const line of await connection.lines(PODS, PATIENCE_MS, never)) lines.push(line);
      expect(lines).toEqual(['one', 'two', 'three']);
    });

    it('throws when the connection breaks', async () => {
      answers.push((response) => {
        response.writeHead(200).write('one\n', () => response.socket?.destroy());
      });
      const lines = await connection.lines(PODS, PATIENCE_MS, never);
      const read = async (): Promise<void> => {
        for await (const line of lines) expect(line).toBe('one');
      };
      await expect(read()).rejects.toThrow();
    });

    it('is refused with the words of the server', async () => {
      answers.push(raw('{"reason":"Expired","message":"too old"}', 410));
      const opened = connection.lines(PODS, PATIENCE_MS, never);
      await expect(opened).rejects.toMatchObject({ status: 410, reason: 'Expired' });
    });

    it('is not waited for longer than it is told to', async () => {
      answers.push(silent);
      await expect(connection.lines(PODS, 100, never)).rejects.toThrow(RuntimeUnavailableError);
    });

    it('closes its connection when it is given up', async () => {
      answers.push((response) => void response.writeHead(200).write('one\n'));
      const abort = new AbortController();
      const lines = await connection.lines(PODS, PATIENCE_MS, abort.signal);
      const read = (async (): Promise<void> => {
        for await (const line of lines) {
          expect(line).toBe('one');
          abort.abort();
        }
      })().catch(() => undefined);
      await read;
      await once([...sockets][0]!, 'close');
    });
  });
});
