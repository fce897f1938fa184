import DataLoader from 'dataloader';
import { Injectable } from '@nestjs/common';
import type { Called } from '../../common/caller.decorator.js';
import type { Principal } from '../../common/principal.js';
import type { Attempt, JobSpec, Label } from '../record/job.js';
import { JobRepository } from '../store/job.repository.js';

/** Batched reads of what belongs to jobs, so that a list of a hundred jobs costs one query per field. */
export interface JobDetails {
  labels: DataLoader<string, readonly Label[]>;
  attempts: DataLoader<string, readonly Attempt[]>;
  specs: DataLoader<string, JobSpec | undefined>;
}

/** Makes one set of loaders per GraphQL context: a loader that lived longer would show one caller what another read. */
@Injectable()
export class JobDetailsLoader {
  private readonly byContext = new WeakMap<object, JobDetails>();

  constructor(private readonly jobs: JobRepository) {}

  of(context: Called): JobDetails {
    const known = this.byContext.get(context);
    if (known) return known;
    const details = this.make(context.principal);
    this.byContext.set(context, details);
    return details;
  }

  /** Nothing is kept between batches: a context may live as long as a subscription, and jobs change. */
  private make(principal: Principal): JobDetails {
    const options = { cache: false };
    return {
      labels: new DataLoader(async (ids: readonly string[]) => {
        const labels = await this.jobs.labels(principal, ids);
        return ids.map((id) => labels.get(id) ?? []);
      }, options),
      attempts: new DataLoader(async (ids: readonly string[]) => {
        const attempts = await this.jobs.attempts(principal, ids);
        return ids.map((id) => attempts.get(id) ?? []);
      }, options),
      specs: new DataLoader(async (ids: readonly string[]) => {
        const specs = await this.jobs.specs(principal, ids);
        return ids.map((id) => specs.get(id));
      }, options),
    };
  }
}
