import type { ApolloServerPlugin, GraphQLRequestListener } from '@apollo/server';
import type { Log } from '../common/log.js';
import { causeOf, formatError, isUnexpected } from './error-format.js';
import { refuseCostlyQuery } from './query-cost.js';
import type { RequestContext } from './request-context.js';

/** Refuses queries that cost too much, before anything of them runs. */
export const queryCostPlugin: ApolloServerPlugin<RequestContext> = {
  async requestDidStart(): Promise<GraphQLRequestListener<RequestContext>> {
    return {
      async didResolveOperation({ schema, document, request }) {
        refuseCostlyQuery(schema, document, request.variables, request.operationName);
      },
    };
  },
};

/** Gives errors their code and the request's id, and logs those that are our fault. */
export function errorPlugin(log: Log): ApolloServerPlugin<RequestContext> {
  return {
    async requestDidStart(): Promise<GraphQLRequestListener<RequestContext>> {
      return {
        async willSendResponse({ errors, response, contextValue }) {
          if (!errors || response.body.kind !== 'single' || !response.body.singleResult.errors) return;
          const { requestId } = contextValue;
          response.body.singleResult.errors = errors.map((error) => formatError(error, error, requestId));
          for (const error of errors.filter(isUnexpected)) logUnexpected(log, requestId, error);
        },
      };
    },
  };
}

export function logUnexpected(log: Log, requestId: string, error: unknown): void {
  const cause = causeOf(error);
  log.error(
    {
      requestId,
      err: cause instanceof Error ? { message: cause.message, stack: cause.stack } : String(cause),
    },
    'a request failed unexpectedly',
  );
}
