import { Inject, Injectable } from '@nestjs/common';
import { BadInputError, ConflictError } from '../common/app-error.js';
import { Clock } from '../common/clock.js';
import { isId, newId } from '../common/ids.js';
import type { Principal } from '../common/principal.js';
import { requireScope } from '../common/principal.js';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/app-config.js';
import type { Job } from './record/job.js';
import { JobEvents } from './record/job-events.js';
import { JobIntake } from './job-intake.js';
import { JobRemover } from './retention/job-remover.js';
import type { JobQuery } from './store/job.repository.js';
import { JobRepository } from './store/job.repository.js';
import { JobNotFoundError } from './record/job.errors.js';
import { isTerminal } from './record/job-state.js';
import type { JobSubmission } from './record/job-submission.js';

/** What callers do with jobs. Running them is execution's business, which hears of changes through `JobEvents`. */
@Injectable()
export class JobService {
  constructor(
    private readonly jobs: JobRepository,
    private readonly events: JobEvents,
    private readonly intake: JobIntake,
    private readonly remover: JobRemover,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: Pick<AppConfig, 'environments'>,
  ) {}

  /** Accepts a job: when this resolves the job is on disk. */
  async submit(principal: Principal, submission: JobSubmission): Promise<Job> {
    requireScope(principal, 'jobs:write');
    const { environments } = this.config;
    if (!environments.all.has(submission.environment)) {
      throw new BadInputError(
        `There is no environment ${JSON.stringify(submission.environment)}; there are: ${[...environments.all.keys()].join(', ')}.`,
        'input.environment',
      );
    }
    const { job, claim } = await this.intake.take(principal, newId(), submission);
    this.events.publishLocal(job.id);
    if (!claim) this.events.publishQueuedLocal();
    return job;
  }

  /** @throws JobNotFoundError */
  async get(principal: Principal, id: string): Promise<Job> {
    requireScope(principal, 'jobs:read');
    const job = isId(id) ? await this.jobs.find(principal, id) : undefined;
    if (!job) throw new JobNotFoundError(id);
    return job;
  }

  /** Newest first; `after` is the id that the page begins behind. */
  async list(principal: Principal, query: JobQuery, limit: number, after?: string): Promise<Job[]> {
    requireScope(principal, 'jobs:read');
    return this.jobs.list(principal, query, limit, after);
  }

  /** Ends a waiting job, asks a live one to end, returns a finished one as it is. */
  async cancel(principal: Principal, id: string): Promise<Job> {
    requireScope(principal, 'jobs:write');
    await this.get(principal, id);
    const nowMs = this.clock.nowMs();
    // Between the two writes a job may be claimed, or be put back by a retry. A second round settles both cases.
    for (let round = 0; round < 2; round++) {
      if (
        (await this.jobs.cancelQueued(principal, id, nowMs)) ||
        (await this.jobs.requestCancel(principal, id))
      )
        break;
    }
    this.events.publishLocal(id);
    return this.get(principal, id);
  }

  /** Deletes a finished job with its outputs and logs; a job that is not there is a success. */
  async delete(principal: Principal, id: string): Promise<void> {
    requireScope(principal, 'jobs:write');
    const job = isId(id) ? await this.jobs.find(principal, id) : undefined;
    if (!job) return;
    if (!isTerminal(job.state)) throw new ConflictError('The job has not finished; cancel it first.');
    await this.remover.remove(principal, id);
  }
}
