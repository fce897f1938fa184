import { IsInt, Max, Min } from 'class-validator';
import { Variable } from '../variable.decorator.js';

/** How long finished jobs are kept. */
export class RetentionConfig {
  static readonly title = 'Retention';

  @Variable({
    type: 'integer',
    unit: 'days',
    defaultText: '30',
    description: 'How long finished jobs are kept, with their logs and outputs; 0 keeps them for ever.',
  })
  @IsInt()
  @Min(0)
  @Max(36_500)
  JOB_RETENTION_DAYS: number = 30;

  @Variable({
    type: 'integer',
    unit: 'jobs',
    defaultText: '0',
    description: 'Finished jobs that are kept; the oldest ones beyond are deleted; 0 sets no bound.',
  })
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  JOB_RETENTION_MAX_JOBS: number = 0;

  @Variable({
    type: 'integer',
    unit: 'bytes',
    defaultText: '0',
    description:
      'Size of the outputs and logs of all finished jobs together; beyond it the oldest jobs are deleted; 0 sets no bound.',
  })
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  JOB_RETENTION_MAX_BYTES: number = 0;
}
