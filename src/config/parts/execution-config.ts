import { availableParallelism } from 'node:os';
import { IsInt, IsOptional, IsString, Matches, Max, Min } from 'class-validator';
import { MAX_INT32 } from '../int32.js';
import { Variable } from '../variable.decorator.js';

/** Leaves the choice of the runtime to the server. */
export const AUTO = 'auto';

/** Where jobs run, how many at a time, and for which of several servers. */
export class ExecutionConfig {
  static readonly title = 'Execution';

  @Variable({
    type: 'string',
    defaultText: 'auto',
    description:
      'Where jobs run: a runtime, by its name in the headings below, or `auto` to use what answers.',
  })
  @IsString()
  EXECUTION_RUNTIME: string = AUTO;

  @Variable({
    type: 'integer',
    defaultText: 'twice the CPU count',
    description: 'Jobs that run at the same time on this replica.',
  })
  @IsInt()
  @Min(1)
  @Max(10_000)
  MAX_CONCURRENT_JOBS: number = availableParallelism() * 2;

  @Variable({
    type: 'integer',
    defaultText: '10000',
    description: 'Jobs that may wait; more are refused with QUEUE_FULL.',
  })
  @IsInt()
  @Min(1)
  @Max(MAX_INT32)
  MAX_QUEUED_JOBS: number = 10_000;

  @Variable({
    type: 'string',
    defaultText: 'none',
    description:
      'Name of this server among several on one database, which stays the same when it restarts: it then takes its own jobs over at once instead of waiting for their leases. No two servers may have the same.',
  })
  @IsOptional()
  @Matches(/^[A-Za-z0-9.-]{1,63}$/, { message: 'must be of letters, digits, dots and hyphens' })
  REPLICA_NAME?: string;

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '300',
    description:
      'How long a job whose server is gone waits for one that reaches its engine, before another one calls it LOST.',
  })
  @IsInt()
  @Min(0)
  LOST_AFTER_SECONDS: number = 300;
}
