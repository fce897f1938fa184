import { IsInt, Max, Min } from 'class-validator';
import { MAX_INT32 } from '../int32.js';
import { Variable } from '../variable.decorator.js';

/** How long changes of jobs are kept for those who follow all of them. */
export class OutboxConfig {
  static readonly title = 'Outbox';

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '86400',
    description:
      'How long a change of a job can be read by who follows all jobs; one that is slower misses it.',
  })
  @IsInt()
  @Min(60)
  @Max(MAX_INT32)
  OUTBOX_MAX_AGE_SECONDS: number = 86_400;

  @Variable({
    type: 'integer',
    unit: 'changes',
    defaultText: '100000',
    description:
      'Changes of jobs that are kept; the oldest ones beyond are removed. A job makes three to five.',
  })
  @IsInt()
  @Min(1_000)
  @Max(MAX_INT32)
  OUTBOX_MAX_ROWS: number = 100_000;
}
