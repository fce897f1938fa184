import type { AppError } from './app-error.js';

/** What a caller may know of an error. Without a message it is a fault of ours, and only the log says more. */
export interface PublicError {
  /** One of `ERROR_CODES`, or Apollo's own. */
  code: string;
  message?: string;
  /** As in `ErrorDetails`. */
  field?: string;
  retryAfterMs?: number;
}

export interface ErrorEntry {
  message: string;
  extensions: { code: string; requestId: string; field?: string; retryAfterMs?: number };
}

/** A fault of ours: it is logged with all that is known and shown with nothing. */
export const UNEXPECTED: PublicError = { code: 'INTERNAL_SERVER_ERROR' };

export function toPublicError({ code, message, field, retryAfterMs }: AppError): PublicError {
  return code === UNEXPECTED.code ? UNEXPECTED : { code, message, field, retryAfterMs };
}

/** One error as callers get it, the same over GraphQL and over plain HTTP (docs/errors.md). */
export function errorEntry(error: PublicError, requestId: string): ErrorEntry {
  const { code, field, retryAfterMs } = error;
  return {
    message: error.message ?? `Something went wrong on our side. The log has more under the id ${requestId}.`,
    extensions: {
      code,
      requestId,
      ...(field === undefined ? {} : { field }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  };
}

/** The whole body of an answer that is an error and nothing else. */
export function errorBody(error: PublicError, requestId: string): { errors: [ErrorEntry] } {
  return { errors: [errorEntry(error, requestId)] };
}
