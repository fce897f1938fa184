import type { IncomingMessage } from 'node:http';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch, HttpException, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorCode } from '../common/app-error.js';
import { AppError, messageOf } from '../common/app-error.js';
import { MiB } from '../common/bytes.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';

const STATUS: Partial<Record<ErrorCode, number>> = {
  BAD_USER_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
  RATE_LIMITED: 429,
  QUEUE_FULL: 503,
  RUNTIME_UNAVAILABLE: 503,
  STORAGE_FULL: 507,
  DATABASE_UNAVAILABLE: 503,
};

const CODES: Partial<Record<number, ErrorCode>> = { 404: 'NOT_FOUND', 413: 'PAYLOAD_TOO_LARGE' };

/** Errors of plain HTTP routes, in the shape that GraphQL errors have. GraphQL has a formatter of its own. */
@Catch()
export class HttpErrorsFilter implements ExceptionFilter {
  constructor(@Inject(LOG) private readonly log: Log) {}

  catch(error: unknown, host: ArgumentsHost): void {
    if (host.getType<string>() !== 'http') throw error;
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const requestId = request.id;
    const { status, code, message } = toHttpError(error);
    if (status === 500)
      this.log.error(
        { requestId, err: messageOf(error), stack: (error as Error).stack },
        'a request failed unexpectedly',
      );
    if (status === 413) void drain(request.raw).then(() => answer(reply, status, code, message, requestId));
    else answer(reply, status, code, message, requestId);
  }
}

/** How much of a body that is too large is read and thrown away, and for how long, so that its sender gets an answer. */
const MAX_DRAINED_BYTES = 64 * MiB;
const MAX_DRAIN_MS = 5_000;

/** Closing a connection while its sender still writes resets it, and the answer is lost. */
function drain(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(resolve, MAX_DRAIN_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.on('data', (data: Buffer) => (bytes += data.length) > MAX_DRAINED_BYTES && done());
    request.once('end', done).once('close', done);
    if (request.complete || request.destroyed) done();
  });
}

function answer(reply: FastifyReply, status: number, code: string, message: string, requestId: string): void {
  if (reply.sent) return;
  void reply
    .removeHeader('content-disposition')
    .removeHeader('content-length')
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .send({ errors: [{ message, extensions: { code, requestId } }] });
}

function toHttpError(error: unknown): { status: number; code: string; message: string } {
  if (error instanceof AppError)
    return { status: STATUS[error.code] ?? 500, code: error.code, message: error.message };
  if (error instanceof HttpException) {
    const status = error.getStatus();
    return { status, code: CODES[status] ?? 'BAD_USER_INPUT', message: error.message };
  }
  return { status: 500, code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong on our side.' };
}
