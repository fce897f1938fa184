import type { FastifyInstance } from 'fastify';
import type { Principal } from '../common/principal.js';
import { sendError } from '../http/send-error.js';
import type { ApiToken } from './api-token.js';
import type { RequestGuard } from './request-guard.js';

/** Probes come by address and carry no token; what they learn is no secret. */
const OPEN_PATHS = /^\/health(\/|\?|$)/;

/** Browsers ask ahead without a token: they are told what may be asked, and shown nothing. */
const NOBODY: Principal = { name: 'nobody', tenant: '', scopes: new Set() };

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; set for every route that is not open. */
    principal: Principal | undefined;
  }
}

/** Lets only allowed requests through to any route, and says who they are from. */
export function guardRequests(fastify: FastifyInstance, guard: RequestGuard, token: ApiToken): void {
  fastify.decorateRequest('principal');
  fastify.addHook('onRequest', async (request, reply) => {
    if (OPEN_PATHS.test(request.url)) return;
    const fault = guard.faultOf(request.raw);
    if (fault) return sendError(reply, request.id, { code: 'FORBIDDEN', message: fault });
    const isPreflight = request.method === 'OPTIONS';
    request.principal = isPreflight ? NOBODY : token.principalOf(request.headers.authorization);
    if (request.principal) return;
    void reply.header('www-authenticate', 'Bearer');
    return sendError(reply, request.id, {
      code: 'UNAUTHENTICATED',
      message: 'A valid API token is needed: Authorization: Bearer <token>.',
    });
  });
}
