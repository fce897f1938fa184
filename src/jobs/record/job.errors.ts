import { AppError, NotFoundError } from '../../common/app-error.js';

export class JobNotFoundError extends NotFoundError {
  constructor(id: string) {
    super(`There is no job with the id ${JSON.stringify(id.slice(0, 64))}.`);
  }
}

export class QueueFullError extends AppError {
  constructor(limit: number) {
    super('QUEUE_FULL', `The queue is full: ${limit} jobs are waiting. Try again later.`, {
      retryAfterMs: 5_000,
    });
  }
}

export class IdempotencyMismatchError extends AppError {
  constructor() {
    super('IDEMPOTENCY_MISMATCH', 'This idempotency key was used before with another request.', {
      field: 'input.idempotencyKey',
    });
  }
}

/** Changes were removed from the outbox before a subscriber to all jobs had read them. */
export class SubscriberBehindError extends AppError {
  constructor() {
    super(
      'RATE_LIMITED',
      'This subscription fell too far behind, and changes of jobs were removed before it had read them. Subscribe again, then list the jobs.',
    );
  }
}

/** A write of a replica that no longer owns the job. The writer stops; the new owner goes on. */
export class StaleFenceError extends Error {
  constructor(jobId: string) {
    super(`job ${jobId} is owned by another replica or attempt`);
    this.name = 'StaleFenceError';
  }
}
