/** An error as it comes over the wire, by GraphQL's shape. */
export interface WireError {
  message: string;
  extensions?: { code?: unknown; field?: unknown; retryAfterMs?: unknown; requestId?: unknown };
}

/** The service understood and said no. `code` is one of `docs/errors.md`; the message is for people. */
export class ApiError extends Error {
  readonly field?: string;
  readonly retryAfterMs?: number;
  /** What to look for in the service's log. */
  readonly requestId?: string;

  constructor(
    readonly code: string,
    message: string,
    details: { field?: string; retryAfterMs?: number; requestId?: string } = {},
  ) {
    super(message);
    this.name = 'ApiError';
    Object.assign(this, details);
  }
}

/** No understandable answer came: nobody listens there, the connection broke, or something else answered. */
export class ConnectionError extends Error {
  readonly code = 'CONNECTION_FAILED';

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ConnectionError';
  }
}

/** The first of the errors of an answer, which is the one that made it fail. */
export function toApiError(errors: readonly WireError[]): ApiError {
  const [first] = errors;
  const { code, field, retryAfterMs, requestId } = first?.extensions ?? {};
  return new ApiError(
    typeof code === 'string' ? code : 'INTERNAL_SERVER_ERROR',
    first?.message ?? 'The service gave no reason.',
    {
      field: typeof field === 'string' ? field : undefined,
      retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined,
      requestId: typeof requestId === 'string' ? requestId : undefined,
    },
  );
}

export function isWireErrors(value: unknown): value is WireError[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry: unknown) => typeof (entry as WireError | null)?.message === 'string')
  );
}
