import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { sendError } from './send-error.js';

/**
 * What Fastify answers before there is a route, in our shape: an address that is no valid URL, mostly. For its option
 * `frameworkErrors`.
 */
export function answerFrameworkError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const status = error.statusCode ?? 500;
  void sendError(
    reply,
    request.id,
    status < 500
      ? { code: 'BAD_USER_INPUT', message: 'The address is malformed or too long.', status }
      : { code: 'INTERNAL_SERVER_ERROR', status },
  );
}
