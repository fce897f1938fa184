import type { FastifyReply } from 'fastify';
import type { ErrorCode } from '../common/app-error.js';
import type { PublicError } from '../common/error-body.js';
import { errorBody } from '../common/error-body.js';

/** Of every code, so that a new one is not forgotten. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  BAD_USER_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  QUEUE_FULL: 503,
  RATE_LIMITED: 429,
  PAYLOAD_TOO_LARGE: 413,
  QUERY_TOO_COMPLEX: 400,
  RUNTIME_UNAVAILABLE: 503,
  DATABASE_UNAVAILABLE: 503,
  IDEMPOTENCY_MISMATCH: 422,
  STORAGE_FULL: 507,
  INTERNAL_SERVER_ERROR: 500,
};

/** An error that plain HTTP answers with. */
export interface HttpError extends PublicError {
  code: ErrorCode;
  /** Where it is not the one of the code. */
  status?: number;
}

export function statusOf({ code, status }: HttpError): number {
  return status ?? STATUS[code];
}

/** Answers a plain HTTP request with an error: its status, its body, and when to come again. */
export function sendError(reply: FastifyReply, requestId: string, error: HttpError): FastifyReply {
  // RFC 9110 knows whole seconds only; one who comes too early comes in vain.
  if (error.retryAfterMs !== undefined)
    void reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000));
  return reply
    .code(statusOf(error))
    .header('content-type', 'application/json; charset=utf-8')
    .send(errorBody(error, requestId));
}
