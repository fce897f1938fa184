/** Why a job ended; closed, in the schema, and never shared between a script's failure and the platform's. */
export const JOB_REASONS = [
  'EXIT_ZERO',
  'EXIT_NONZERO',
  'SIGNAL',
  'OUT_OF_MEMORY',
  'TIMEOUT',
  'CANCELLED_BY_USER',
  'DISK_LIMIT',
  'IMAGE_UNAVAILABLE',
  'UNSCHEDULABLE',
  'START_FAILED',
  'EVICTED',
  'DELETED_EXTERNALLY',
  'NODE_LOST',
  'RUNTIME_LOST',
  'ABANDONED',
] as const;
export type JobReason = (typeof JOB_REASONS)[number];
