import type { ExecutionContext } from '@nestjs/common';
import { createParamDecorator } from '@nestjs/common';
import type { Principal } from './principal.js';

/** What a request or an operation over the socket carries once it has been let in. */
export interface Called {
  readonly principal: Principal;
}

/** The principal that asks, in a resolver as in a controller. There is no other way in: one without is a fault of ours. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = calledOf(context);
  if (!principal) throw new Error('a route was reached by somebody who was not let in');
  return principal;
});

/** Resolvers get (root, arguments, context, info), controllers the request. */
function calledOf(context: ExecutionContext): Partial<Called> {
  if (context.getType<string>() === 'graphql') return context.getArgByIndex<Partial<Called>>(2);
  return context.switchToHttp().getRequest<Partial<Called>>();
}
