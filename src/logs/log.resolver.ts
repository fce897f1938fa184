import { Args, ID, Int, Parent, ResolveField, Resolver, Subscription } from '@nestjs/graphql';
import { BadInputError } from '../common/app-error.js';
import { Caller } from '../common/caller.decorator.js';
import type { Principal } from '../common/principal.js';
import { iterateWithAbort } from '../common/async/iterate-with-abort.js';
import { pageSize } from '../common/page-size.js';
import type * as record from '../jobs/record/job.js';
import { JobService } from '../jobs/job.service.js';
import { Job } from '../jobs/api/models/job.model.js';
import { JobLogService } from './job-log.service.js';
import type { LogPosition } from './log-cursor.js';
import { LOG_START, decodeCursor } from './log-cursor.js';
import { JobLogEvent, LogPage } from './models/log.model.js';
import { toSharedLogEvent } from './shared-log-events.js';
import { toLogPage } from './to-log-models.js';

const DEFAULT_PAGE_CHUNKS = 100;
const MAX_PAGE_CHUNKS = 1000;
/** A page opens a file and reads up to 96 KiB, whatever `first` is. One query may ask for the logs of forty jobs. */
const LOG_PAGE_COST = 500;

@Resolver(() => Job)
export class LogResolver {
  constructor(
    private readonly logs: JobLogService,
    private readonly jobs: JobService,
  ) {}

  @Subscription(() => JobLogEvent, {
    description:
      'What the script printed, from the start or behind `after`, and what it prints; then one last event with `job` set, and completion. After a broken connection subscribe again with the last `cursor`: every chunk comes exactly once.',
    resolve: (event: JobLogEvent) => event,
  })
  async jobLogs(
    @Caller() caller: Principal,
    @Args('jobId', { type: () => ID }) jobId: string,
    @Args('after', { type: () => String, nullable: true }) after: string | null,
  ): Promise<AsyncIterableIterator<JobLogEvent>> {
    const from = toPosition(after, await this.jobs.get(caller, jobId));
    return iterateWithAbort((signal) => this.events(caller, jobId, from, signal));
  }

  private async *events(
    caller: Principal,
    jobId: string,
    from: LogPosition,
    signal: AbortSignal,
  ): AsyncGenerator<JobLogEvent, void, undefined> {
    for await (const step of this.logs.follow(caller, jobId, from, signal)) yield toSharedLogEvent(step);
  }

  @ResolveField(() => LogPage, {
    name: 'logs',
    complexity: LOG_PAGE_COST,
    description: 'A page of the log as it is now, from the start or behind `after`.',
  })
  async page(
    @Caller() caller: Principal,
    @Parent() parent: Job,
    @Args('after', { type: () => String, nullable: true }) after: string | null,
    @Args('first', {
      type: () => Int,
      nullable: true,
      defaultValue: DEFAULT_PAGE_CHUNKS,
      description: 'Chunks, 1 to 1000.',
    })
    first: number | null,
  ): Promise<LogPage> {
    const size = pageSize(first, DEFAULT_PAGE_CHUNKS, MAX_PAGE_CHUNKS);
    const job = await this.jobs.get(caller, parent.id);
    return toLogPage(await this.logs.page(caller, job, toPosition(after, job), size));
  }
}

function toPosition(after: string | null | undefined, job: record.Job): LogPosition {
  if (after === null || after === undefined) return LOG_START;
  const position = decodeCursor(after);
  if (position.attempt > Math.max(1, job.attempt))
    throw new BadInputError('This cursor is of another job.', 'after');
  return position;
}
