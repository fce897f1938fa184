import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch, HttpException, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorCode } from '../common/app-error.js';
import { AppError, messageOf } from '../common/app-error.js';
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
};

/** Errors of plain HTTP routes, in the shape that GraphQL errors have. GraphQL has a formatter of its own. */
@Catch()
export class HttpErrorsFilter implements ExceptionFilter {
  constructor(@Inject(LOG) private readonly log: Log) {}

  catch(error: unknown, host: ArgumentsHost): void {
    if (host.getType<string>() !== 'http') throw error;
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const { id: requestId } = host.switchToHttp().getRequest<FastifyRequest>();
    const { status, code, message } = toHttpError(error);
    if (status === 500)
      this.log.error(
        { requestId, err: messageOf(error), stack: (error as Error).stack },
        'a request failed unexpectedly',
      );
    if (reply.sent) return;
    void reply
      .removeHeader('content-disposition')
      .removeHeader('content-length')
      .code(status)
      .header('content-type', 'application/json; charset=utf-8')
      .send({ errors: [{ message, extensions: { code, requestId } }] });
  }
}

function toHttpError(error: unknown): { status: number; code: string; message: string } {
  if (error instanceof AppError)
    return { status: STATUS[error.code] ?? 500, code: error.code, message: error.message };
  if (error instanceof HttpException) {
    const status = error.getStatus();
    return { status, code: status === 404 ? 'NOT_FOUND' : 'BAD_USER_INPUT', message: error.message };
  }
  return { status: 500, code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong on our side.' };
}
