import type { FastifyInstance } from 'fastify';
import { sendError } from '../http/send-error.js';
import type { ApiToken } from './api-token.js';
import type { RequestGuard } from './request-guard.js';

/** Probes come by address and carry no token; what they learn is no secret. */
const OPEN_PATHS = /^\/health(\/|\?|$)/;

/** Lets only allowed requests through to any route. */
export function guardRequests(fastify: FastifyInstance, guard: RequestGuard, token: ApiToken): void {
  fastify.addHook('onRequest', async (request, reply) => {
    if (OPEN_PATHS.test(request.url)) return;
    const fault = guard.faultOf(request.raw);
    if (fault) return sendError(reply, request.id, { code: 'FORBIDDEN', message: fault });
    if (request.method === 'OPTIONS' || token.accepts(request.headers.authorization)) return;
    void reply.header('www-authenticate', 'Bearer');
    return sendError(reply, request.id, {
      code: 'UNAUTHENTICATED',
      message: 'A valid API token is needed: Authorization: Bearer <token>.',
    });
  });
}
