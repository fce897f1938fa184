import { ApiError, ConnectionError } from '../client/api-error.js';
import { printable } from './format.js';
import { UsageError } from './usage-error.js';

const HINTS: Readonly<Record<string, string>> = {
  CONNECTION_FAILED: 'Is the service running there? Its address is set with --server or MAPS_SERVER.',
  UNAUTHENTICATED: 'Set the token in MAPS_API_TOKEN, or the name of a file with it in MAPS_API_TOKEN_FILE.',
  NOT_FOUND: 'The jobs that are there are shown by: maps list',
  CONFLICT: 'A job that has not ended is cancelled by: maps cancel <id>',
  IDEMPOTENCY_MISMATCH: 'Use another --idempotency-key, or send the very same request.',
  QUEUE_FULL: 'Try again later.',
  RATE_LIMITED: 'Try again later.',
  RUNTIME_UNAVAILABLE: 'What the service says about itself is at /health of its address.',
};

/** One sentence with the code to look up, and a line with what may help. */
export function toErrorText(error: unknown): string {
  if (error instanceof UsageError) return `maps: ${printable(error.message)}\n`;
  if (!(error instanceof ApiError || error instanceof ConnectionError)) {
    const message = error instanceof Error ? error.message : String(error);
    // A disk that is full or a folder that cannot be written says so itself.
    const isSystem = error instanceof Error && 'syscall' in error;
    return isSystem ? `maps: ${message}\n` : `maps: Something went wrong in this command: ${message}\n`;
  }
  const field = error instanceof ApiError && error.field ? `, ${error.field}` : '';
  const hint = hintOf(error);
  return `maps: ${printable(error.message)} (${error.code}${field})\n${hint ? `      ${hint}\n` : ''}`;
}

function hintOf(error: ApiError | ConnectionError): string | undefined {
  if (error instanceof ApiError && error.retryAfterMs)
    return `Try again in ${Math.ceil(error.retryAfterMs / 1000)} s.`;
  return HINTS[error.code];
}
