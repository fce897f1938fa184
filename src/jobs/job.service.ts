import { Inject, Injectable } from '@nestjs/common';
import { BadInputError, ConflictError } from '../common/app-error.js';
import { Clock } from '../common/clock.js';
import { isId, newId } from '../common/ids.js';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/app-config.js';
import type { JobRow } from '../database/tables.js';
import { JobEvents } from './record/job-events.js';
import { JobPlaces } from './job-places.js';
import { JobRemover } from './retention/job-remover.js';
import { JobRepository } from './store/job.repository.js';
import { JobNotFoundError } from './record/job.errors.js';
import type { JobState } from './record/job-state.js';
import { isTerminal } from './record/job-state.js';
import type { JobSubmission } from './record/job-submission.js';
import { StorageSpace } from './retention/storage-space.js';

/** What callers do with jobs. Running them is execution's business, which hears of changes through `JobEvents`. */
@Injectable()
export class JobService {
  constructor(
    private readonly jobs: JobRepository,
    private readonly events: JobEvents,
    private readonly places: JobPlaces,
    private readonly remover: JobRemover,
    private readonly space: StorageSpace,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: Pick<AppConfig, 'environments' | 'execution'>,
  ) {}

  /** Accepts a job: when this resolves the job is on disk. */
  async submit(submission: JobSubmission): Promise<JobRow> {
    const { environments, execution } = this.config;
    if (!environments.all.has(submission.environment)) {
      throw new BadInputError(
        `There is no environment ${JSON.stringify(submission.environment)}; there are: ${[...environments.all.keys()].join(', ')}.`,
        'input.environment',
      );
    }
    const { MAX_QUEUED_JOBS } = execution;
    const refusal = await this.space.refusal();
    const { job, claim } = await this.places.store((taker) =>
      this.jobs.insert(newId(), submission, this.clock.nowMs(), MAX_QUEUED_JOBS, refusal, taker),
    );
    this.events.emit(job.id);
    if (!claim) this.events.emitQueued();
    return job;
  }

  /** @throws JobNotFoundError */
  async get(id: string): Promise<JobRow> {
    const job = isId(id) ? await this.jobs.find(id) : undefined;
    if (!job) throw new JobNotFoundError(id);
    return job;
  }

  /** Ends a waiting job, asks a live one to end, returns a finished one as it is. */
  async cancel(id: string): Promise<JobRow> {
    await this.get(id);
    const nowMs = this.clock.nowMs();
    // A job may be claimed between the two writes, or be put back by a retry: one more round settles either.
    for (let round = 0; round < 2; round++) {
      if ((await this.jobs.cancelQueued(id, nowMs)) || (await this.jobs.requestCancel(id))) break;
    }
    this.events.emit(id);
    return this.get(id);
  }

  /** Deletes a finished job with its outputs and logs; a job that is not there is a success. */
  async delete(id: string): Promise<void> {
    const job = isId(id) ? await this.jobs.find(id) : undefined;
    if (!job) return;
    if (!isTerminal(job.state as JobState))
      throw new ConflictError('The job has not finished; cancel it first.');
    await this.remover.remove(id);
  }
}
