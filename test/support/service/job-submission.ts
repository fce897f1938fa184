import type { JobSubmission } from '../../../src/jobs/record/job-submission.js';

/** A job that asks for nothing special, but for `more`. */
export function submission(more: Partial<JobSubmission>): JobSubmission {
  return {
    script: 'print(1)',
    requestText: 'null',
    files: [],
    environment: 'default',
    name: null,
    labels: [],
    priority: 0,
    timeoutSeconds: 60,
    memoryMb: 128,
    cpus: 0.5,
    network: 'NONE',
    env: {},
    secrets: [],
    retries: 0,
    idempotencyKey: null,
    ...more,
  };
}
