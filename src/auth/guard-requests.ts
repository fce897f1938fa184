import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorCode } from '../common/app-error.js';
import type { Principal } from '../common/principal.js';
import type { ApiToken } from './api-token.js';
import type { RequestGuard } from './request-guard.js';

/** Probes come by address and carry no token; what they learn is no secret. */
const OPEN_PATHS = /^\/health(\/|\?|$)/;

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
    if (fault) return refuse(request, reply, 403, 'FORBIDDEN', fault);
    if (request.method === 'OPTIONS') return;
    request.principal = token.principalOf(request.headers.authorization);
    if (request.principal) return;
    void reply.header('www-authenticate', 'Bearer');
    return refuse(
      request,
      reply,
      401,
      'UNAUTHENTICATED',
      'A valid API token is needed: Authorization: Bearer <token>.',
    );
  });
}

/** One shape for every refusal, the one GraphQL clients know. */
function refuse(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  code: ErrorCode,
  message: string,
): FastifyReply {
  return reply.code(status).send({ errors: [{ message, extensions: { code, requestId: request.id } }] });
}
