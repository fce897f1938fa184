import type { IncomingMessage } from 'node:http';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch, HttpException, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorCode } from '../common/app-error.js';
import { AppError, messageOf } from '../common/app-error.js';
import { MiB } from '../common/bytes.js';
import { toPublicError } from '../common/error-body.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import type { HttpError } from './send-error.js';
import { sendError, statusOf } from './send-error.js';

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
    const answer = toHttpError(error);
    const status = statusOf(answer);
    if (status === 500)
      this.log.error(
        { requestId, err: messageOf(error), stack: (error as Error).stack },
        'a request failed unexpectedly',
      );
    if (status === 413) void drain(request.raw).then(() => send(reply, requestId, answer));
    else send(reply, requestId, answer);
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

/** In place of a download that had begun to describe itself. */
function send(reply: FastifyReply, requestId: string, error: HttpError): void {
  if (reply.sent) return;
  void sendError(reply.removeHeader('content-disposition').removeHeader('content-length'), requestId, error);
}

function toHttpError(error: unknown): HttpError {
  if (error instanceof AppError) return { ...toPublicError(error), code: error.code };
  if (error instanceof HttpException && error.getStatus() < 500) {
    const status = error.getStatus();
    return { status, code: CODES[status] ?? 'BAD_USER_INPUT', message: error.message };
  }
  return { code: 'INTERNAL_SERVER_ERROR' };
}
