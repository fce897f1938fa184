import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ArgumentsHost } from '@nestjs/common';
import { HttpException } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { fastify } from 'fastify';
import { AppError, ERROR_CODES } from '../common/app-error.js';
import type { Log } from '../common/log.js';
import { HttpErrorsFilter } from './http-errors.filter.js';

describe('an error of a plain HTTP route', () => {
  let server: FastifyInstance;
  let thrown: unknown;
  let logged: object[];

  beforeEach(async () => {
    logged = [];
    const ignore = (): void => undefined;
    const error = (fields: object): void => void logged.push(fields);
    const log: Log = { debug: ignore, info: ignore, warn: ignore, error };
    const filter = new HttpErrorsFilter(log);
    server = fastify({ genReqId: () => 'the-id' });
    server.get('/', (request, reply) => {
      void reply.headers({ 'content-disposition': 'attachment', 'content-length': 1e6 });
      const http = { getRequest: () => request, getResponse: () => reply };
      filter.catch(thrown, { getType: () => 'http', switchToHttp: () => http } as unknown as ArgumentsHost);
      return reply;
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
  });

  afterEach(() => server.close());

  const ask = async (error: unknown): Promise<{ status: number; headers: Headers; body: unknown }> => {
    thrown = error;
    const { port } = server.server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
  };

  it('names the field at fault and says when to try again, as GraphQL does', async () => {
    const { status, headers, body } = await ask(
      new AppError('RATE_LIMITED', 'Too much.', { field: 'input.x', retryAfterMs: 4_001 }),
    );
    expect(status).toBe(429);
    expect(body).toEqual({
      errors: [
        {
          message: 'Too much.',
          extensions: { code: 'RATE_LIMITED', requestId: 'the-id', field: 'input.x', retryAfterMs: 4_001 },
        },
      ],
    });
    expect(headers.get('retry-after')).toBe('5');
    expect(headers.get('content-disposition')).toBeNull();
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  });

  it('has a status for every code, and no time to try again where none is known', async () => {
    for (const code of ERROR_CODES) {
      const { status, headers } = await ask(new AppError(code, 'no'));
      expect([
        code,
        status >= 400 && status < 600 && (status !== 500 || code.startsWith('INTERNAL')),
      ]).toEqual([code, true]);
      expect(headers.get('retry-after')).toBeNull();
    }
  });

  it('shows nothing of a fault of ours but the id that finds it in the log', async () => {
    for (const error of [new Error('secret'), new AppError('INTERNAL_SERVER_ERROR', 'secret')]) {
      const { status, body } = await ask(error);
      expect([status, JSON.stringify(body)]).toEqual([500, expect.stringContaining('the-id')]);
      expect(JSON.stringify(body)).not.toContain('secret');
    }
    expect(logged).toMatchObject([{ err: 'secret' }, { err: 'secret' }]);
  });

  it('keeps the status of what the framework refuses', async () => {
    const { status, body } = await ask(new HttpException('This range is not in the file.', 416));
    expect(status).toBe(416);
    expect(body).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
  });
});
