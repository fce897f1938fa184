import { describe, expect, it } from '@jest/globals';
import { ApiError, ConnectionError } from '../client/api-error.js';
import type { Job } from '../client/api-types.js';
import { exitCodeOfError, exitCodeOfJob } from './exit-codes.js';
import { UsageError } from './usage-error.js';

type End = Pick<Job, 'state' | 'reason' | 'exitCode' | 'signal'>;
const end = (
  state: Job['state'],
  reason: string,
  exitCode: number | null = null,
  signal: string | null = null,
): End => ({ state, reason, exitCode, signal });

describe('exit codes', () => {
  it.each([
    [end('SUCCEEDED', 'EXIT_ZERO', 0), 0],
    [end('FAILED', 'EXIT_NONZERO', 42), 42],
    [end('FAILED', 'SIGNAL', null, 'SIGSEGV'), 139],
    [end('FAILED', 'SIGNAL', null, 'SIGUNHEARDOF'), 137],
    [end('FAILED', 'OUT_OF_MEMORY', null, 'SIGKILL'), 137],
    [end('FAILED', 'OUT_OF_MEMORY', 1), 1],
    [end('FAILED', 'DISK_LIMIT', null, 'SIGKILL'), 137],
    [end('TIMED_OUT', 'TIMEOUT', null, 'SIGTERM'), 124],
    [end('CANCELLED', 'CANCELLED_BY_USER', null, 'SIGTERM'), 130],
    [end('FAILED', 'IMAGE_UNAVAILABLE'), 125],
    [end('FAILED', 'EVICTED', null, 'SIGTERM'), 125],
    [end('FAILED', 'START_FAILED', 122), 125],
    [end('FAILED', 'A_REASON_OF_THE_FUTURE', 3), 125],
    [end('LOST', 'RUNTIME_LOST'), 125],
  ])('of a job %j is %i', (job, code) => {
    expect(exitCodeOfJob(job)).toBe(code);
  });

  it.each([
    [new UsageError('no'), 126],
    [new ApiError('NOT_FOUND', 'no'), 126],
    [new ApiError('UNAUTHENTICATED', 'no'), 126],
    [new ApiError('QUEUE_FULL', 'no'), 125],
    [new ApiError('INTERNAL_SERVER_ERROR', 'no'), 125],
    [new ConnectionError('no'), 125],
    [new TypeError('a fault of ours'), 125],
  ])('of the error %s is %i', (error, code) => {
    expect(exitCodeOfError(error)).toBe(code);
  });
});
