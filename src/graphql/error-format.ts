import type { GraphQLFormattedError } from 'graphql';
import { GraphQLError } from 'graphql';
import { AppError } from '../common/app-error.js';
import type { PublicError } from '../common/error-body.js';
import { UNEXPECTED, errorEntry, toPublicError } from '../common/error-body.js';

/** Codes of faults in the request itself, whose text comes from the GraphQL library and is safe to show. */
const REQUEST_CODES = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
  'BAD_REQUEST',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
  'QUERY_TOO_COMPLEX',
]);

/** The error that a resolver threw, beneath what the GraphQL library made of it. One that has a code stands for itself. */
export function causeOf(error: unknown): unknown {
  if (!(error instanceof GraphQLError) || error.extensions.code !== undefined) return error;
  return error.originalError ? causeOf(error.originalError) : error;
}

/** True for faults of ours, which are logged with all we know and shown with nothing. */
export function isUnexpected(error: unknown): boolean {
  return toClientError(error).code === UNEXPECTED.code;
}

/**
 * What a caller sees of an error: an expected failure with its code, a fault in the request with the library's text, and
 * of everything else nothing but an id to look it up by.
 */
export function formatError(
  error: GraphQLError | GraphQLFormattedError,
  original: unknown,
  requestId: string,
): GraphQLFormattedError {
  const { message, extensions } = errorEntry(toClientError(original), requestId);
  return { message, locations: error.locations, path: error.path, extensions: { ...extensions } };
}

function toClientError(original: unknown): PublicError {
  const cause = causeOf(original);
  if (cause instanceof AppError) return toPublicError(cause);
  if (cause instanceof GraphQLError) {
    const code = cause.extensions.code;
    if (typeof code === 'string')
      return REQUEST_CODES.has(code) ? { code, message: cause.message } : UNEXPECTED;
    // Without a code and without a cause of its own it is the library's word on the request.
    return { code: cause.path ? 'BAD_USER_INPUT' : 'GRAPHQL_VALIDATION_FAILED', message: cause.message };
  }
  return UNEXPECTED;
}
