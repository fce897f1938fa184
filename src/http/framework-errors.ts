import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';

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
  const [code, message] =
    status < 500
      ? ['BAD_USER_INPUT', 'The address is malformed or too long.']
      : ['INTERNAL_SERVER_ERROR', 'Something went wrong on our side.'];
  void reply.code(status).send({ errors: [{ message, extensions: { code, requestId: request.id } }] });
}
