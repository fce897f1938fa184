import { constants } from 'node:os';
import { ApiError } from '../client/api-error.js';
import type { Job } from '../client/api-types.js';
import { UsageError } from './usage-error.js';

/** What the command ends with when it is not the script's own code. Documented in docs/cli.md; never changed. */
export const EXIT = {
  ok: 0,
  timedOut: 124,
  /** The service, the way to it, or the platform failed. */
  service: 125,
  /** The command or the request was wrong: trying it again unchanged does not help. */
  refused: 126,
  interrupted: 130,
  /** The reader of our output went away: 128 + SIGPIPE, as other tools do. */
  brokenPipe: 141,
} as const;

const REFUSALS = new Set([
  'BAD_USER_INPUT',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'CONFLICT',
  'PAYLOAD_TOO_LARGE',
  'QUERY_TOO_COMPLEX',
  'IDEMPOTENCY_MISMATCH',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
]);

/** Ends that are the script's own, whose code or signal is therefore ours. */
const SCRIPT_REASONS = new Set(['EXIT_ZERO', 'EXIT_NONZERO', 'SIGNAL', 'OUT_OF_MEMORY', 'DISK_LIMIT']);

export function exitCodeOfJob(job: Pick<Job, 'state' | 'reason' | 'exitCode' | 'signal'>): number {
  if (job.state === 'SUCCEEDED') return EXIT.ok;
  if (job.state === 'TIMED_OUT') return EXIT.timedOut;
  if (job.state === 'CANCELLED') return EXIT.interrupted;
  if (job.state !== 'FAILED' || !SCRIPT_REASONS.has(job.reason ?? '')) return EXIT.service;
  if (job.exitCode !== null) return job.exitCode;
  const signal = constants.signals[(job.signal ?? '') as NodeJS.Signals] as number | undefined;
  // Our limits end a script with SIGKILL; a signal unknown here still is one.
  return 128 + (signal ?? constants.signals.SIGKILL);
}

export function exitCodeOfError(error: unknown): number {
  if (error instanceof UsageError) return EXIT.refused;
  return error instanceof ApiError && REFUSALS.has(error.code) ? EXIT.refused : EXIT.service;
}
