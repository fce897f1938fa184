import { AppError } from '../common/app-error.js';
import type { StartFailure } from './runtime-provider.js';

/** The engine does not answer, or answered that it cannot now. Nothing is known; trying again may help. */
export class RuntimeUnavailableError extends AppError {
  constructor(message: string, cause?: unknown) {
    super('RUNTIME_UNAVAILABLE', message, { cause, retryAfterMs: 5000 });
  }
}

/** This workload cannot be started. Nothing was left behind. */
export class WorkloadStartError extends Error {
  constructor(
    readonly failure: StartFailure,
    cause?: unknown,
  ) {
    super(failure.message, { cause });
    this.name = 'WorkloadStartError';
  }
}
