import { ApiError, ConnectionError, isWireErrors, toApiError } from './api-error.js';

/** Close codes by which the service refuses for good; every other one may be a passing fault. */
const REFUSALS: Readonly<Record<number, [code: string, message: string]>> = {
  4400: ['BAD_USER_INPUT', 'The service did not understand the subscription.'],
  4401: ['UNAUTHENTICATED', 'The service does not accept this API token.'],
  4403: ['FORBIDDEN', 'The service does not let this client in.'],
  4406: ['BAD_USER_INPUT', 'The service does not speak graphql-transport-ws.'],
};

/** What a graphql-ws subscription ends with: errors of the operation, a close event, or an error of the socket. */
export function toSocketFault(thrown: unknown): ApiError | ConnectionError {
  if (isWireErrors(thrown)) return toApiError(thrown);
  const { code, reason, message } = (thrown ?? {}) as { code?: unknown; reason?: unknown; message?: unknown };
  const refusal = typeof code === 'number' ? REFUSALS[code] : undefined;
  if (refusal) return new ApiError(...refusal);
  const why = [code, reason || message].filter(
    (part) => typeof part === 'number' || typeof part === 'string',
  );
  return new ConnectionError(`The connection broke (${why.join(' ') || 'no reason given'}).`, {
    cause: thrown,
  });
}
