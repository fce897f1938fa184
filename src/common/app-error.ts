/**
 * The codes a caller may see in `extensions.code`, besides Apollo's own. The list is documented in
 * `docs/errors.md` and tested; a code is never renamed.
 */
export const ERROR_CODES = [
  'BAD_USER_INPUT',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'CONFLICT',
  'QUEUE_FULL',
  'RATE_LIMITED',
  'PAYLOAD_TOO_LARGE',
  'QUERY_TOO_COMPLEX',
  'RUNTIME_UNAVAILABLE',
  'DATABASE_UNAVAILABLE',
  'IDEMPOTENCY_MISMATCH',
  'STORAGE_FULL',
  'INTERNAL_SERVER_ERROR',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface ErrorDetails {
  /** The input field at fault, as a dotted path: `input.files.0.path`. */
  field?: string;
  /** When trying again may help, in milliseconds from now. */
  retryAfterMs?: number;
  /** What really happened; logged, never sent. */
  cause?: unknown;
}

/** An expected failure: its message is safe to show to the caller, its code is stable. */
export class AppError extends Error {
  readonly field?: string;
  readonly retryAfterMs?: number;

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, { cause: details.cause });
    this.name = new.target.name;
    this.field = details.field;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export class NotFoundError extends AppError {
  constructor(message: string) {
    super('NOT_FOUND', message);
  }
}

export class BadInputError extends AppError {
  constructor(message: string, field?: string) {
    super('BAD_USER_INPUT', message, { field });
  }
}

export class PayloadTooLargeError extends AppError {
  constructor(message: string, field?: string) {
    super('PAYLOAD_TOO_LARGE', message, { field });
  }
}

export class ConflictError extends AppError {
  constructor(message: string) {
    super('CONFLICT', message);
  }
}

/** No room on a disk of the service: nothing was stored, and later there may be room again. */
export class StorageFullError extends AppError {
  constructor(cause?: unknown) {
    super(
      'STORAGE_FULL',
      'The disk of this service is full, so it stores nothing new for now. Try again later.',
      {
        retryAfterMs: 10_000,
        cause,
      },
    );
  }
}

/** The message of anything thrown, for a log line or a wrapped error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The `code` of a Node system error (`ENOENT`, …), or undefined. By its shape: an error of another realm (a worker, a
 * test's sandbox) is no `instanceof Error` here.
 */
export function errnoOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
