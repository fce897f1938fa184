import type { GraphQLSchema } from 'graphql';
import { GraphQLError, OperationTypeNode, getOperationAST } from 'graphql';
import type { Context, ServerOptions, SubscribePayload } from 'graphql-ws';
import type { Extra } from 'graphql-ws/use/ws';
import type { WebSocket } from 'ws';
import type { ApiToken } from '../auth/api-token.js';
import type { Log } from '../common/log.js';
import { AppError } from '../common/app-error.js';
import { newId } from '../common/ids.js';
import type { Principal } from '../common/principal.js';
import { logUnexpected } from './apollo.plugins.js';
import { formatError, isUnexpected } from './error-format.js';
import { refuseCostlyQuery } from './query-cost.js';
import type { RequestContext } from './request-context.js';
import { createContext } from './request-context.js';
import type { SharingArgs } from './shared-responses.js';
import { sendShared, subscribeSharing } from './shared-responses.js';
import { SubscriptionDocuments } from './subscription-documents.js';

const MAX_SUBSCRIPTIONS_PER_SOCKET = 100;
/** graphql-ws clients do not retry after this one, and rightly so. */
const CLOSE_UNAUTHORIZED = 4401;

/** What is kept of a socket: who opened it, once it has been let in. */
type SocketExtra = Extra & { principal?: Principal };
type SocketContext = Context<Record<string, unknown> | undefined, SocketExtra>;
type Options = ServerOptions<Record<string, unknown> | undefined, SocketExtra>;

/** How operations over the socket are let in, run, and answered. */
export function subscriptionOptions(schema: GraphQLSchema, token: ApiToken, log: Log): Options {
  const documents = new SubscriptionDocuments(schema);
  return {
    onConnect: (context) => {
      const principal = token.principalOf(authorizationOf(context));
      context.extra.principal = principal;
      if (principal) return true;
      context.extra.socket.close(CLOSE_UNAUTHORIZED, 'Unauthorized');
      return false;
    },
    onSubscribe: (context, _id, payload) => {
      try {
        refuseCrowd(context);
        return toExecutionArgs(principalOf(context), schema, documents, payload);
      } catch (error) {
        return [toGraphqlError(error)];
      }
    },
    // The arguments are those of `onSubscribe`.
    subscribe: (args) => subscribeSharing(args as SharingArgs),
    onOperation: ({ extra }, id, _payload, _args, result) => {
      if (!(Symbol.asyncIterator in result)) return undefined;
      const begin = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
      return sendShared(result, (text) => send(extra.socket, `${begin}${text}}`));
    },
    onNext: (_context, _id, _payload, args, result) => {
      if (!result.errors) return undefined;
      const { requestId } = args.contextValue as RequestContext;
      for (const error of result.errors.filter(isUnexpected)) logUnexpected(log, requestId, error);
      return { ...result, errors: result.errors.map((error) => formatError(error, error, requestId)) };
    },
    onError: (_context, _id, _payload, errors) => {
      const requestId = newId();
      for (const error of errors.filter(isUnexpected)) logUnexpected(log, requestId, error);
      return errors.map((error) => formatError(error, error, requestId));
    },
  };
}

/** Browsers cannot set headers on a socket, so the token comes with the first message; others may send the header. */
function authorizationOf({ connectionParams, extra }: SocketContext): unknown {
  const params = connectionParams ?? {};
  const fromParams = params.authorization ?? params.Authorization;
  if (fromParams !== undefined) return fromParams;
  return typeof params.token === 'string' ? `Bearer ${params.token}` : extra.request.headers.authorization;
}

/** `onConnect` has let the socket in. */
function principalOf({ extra }: SocketContext): Principal {
  if (!extra.principal) throw new Error('an operation came before its socket was let in');
  return extra.principal;
}

function refuseCrowd(context: SocketContext): void {
  if (Object.keys(context.subscriptions).length <= MAX_SUBSCRIPTIONS_PER_SOCKET) return;
  throw new AppError(
    'RATE_LIMITED',
    `One connection may hold ${MAX_SUBSCRIPTIONS_PER_SOCKET} subscriptions; open another one.`,
  );
}

/** Over the socket only subscriptions: queries and mutations go over HTTP, where every limit holds. */
function toExecutionArgs(
  principal: Principal,
  schema: GraphQLSchema,
  documents: SubscriptionDocuments,
  payload: SubscribePayload,
): SharingArgs {
  const known = documents.read(payload.query);
  const { document } = known;
  const operation = getOperationAST(document, payload.operationName);
  if (operation?.operation !== OperationTypeNode.SUBSCRIPTION) {
    throw new AppError(
      'BAD_USER_INPUT',
      'Only subscriptions are served over the socket; send queries and mutations over HTTP.',
    );
  }
  const variables = payload.variables ?? undefined;
  refuseCostlyQuery(schema, document, variables, payload.operationName ?? undefined);
  return {
    schema,
    document,
    operationName: payload.operationName,
    variableValues: variables,
    contextValue: createContext(principal),
    // Nobody is shown what was made for another tenant.
    shareKey: `${principal.tenant}:${known.shareKey(payload.operationName, variables)}`,
  };
}

/** Resolves when the message has left, at once on a socket that closes: graphql-ws sends its own in the same way. */
function send(socket: WebSocket, message: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.readyState === socket.OPEN)
      socket.send(message, (error) => (error ? reject(error) : resolve()));
    else resolve();
  });
}

function toGraphqlError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  return new GraphQLError(error instanceof Error ? error.message : 'failed', {
    originalError: error as Error,
  });
}
