import DataLoader from 'dataloader';
import { Injectable } from '@nestjs/common';
import type { AttemptRow } from '../../database/tables.js';
import { JobRepository } from '../store/job.repository.js';

interface Spec {
  script: string;
  request: string;
  secrets: string;
}

/** Batched reads of what belongs to jobs, so that a list of a hundred jobs costs one query per field. */
export interface JobDetails {
  labels: DataLoader<string, { name: string; value: string }[]>;
  attempts: DataLoader<string, AttemptRow[]>;
  specs: DataLoader<string, Spec | undefined>;
}

/** Makes one set of loaders per GraphQL context: a loader that lived longer would show one caller what another read. */
@Injectable()
export class JobDetailsLoader {
  private readonly byContext = new WeakMap<object, JobDetails>();

  constructor(private readonly jobs: JobRepository) {}

  of(context: object): JobDetails {
    const known = this.byContext.get(context);
    if (known) return known;
    const details = this.make();
    this.byContext.set(context, details);
    return details;
  }

  /** Nothing is kept between batches: a context may live as long as a subscription, and jobs change. */
  private make(): JobDetails {
    const options = { cache: false };
    return {
      labels: new DataLoader(
        async (ids: readonly string[]) => groupByJob(ids, await this.jobs.labels(ids)),
        options,
      ),
      attempts: new DataLoader(
        async (ids: readonly string[]) => groupByJob(ids, await this.jobs.attempts(ids)),
        options,
      ),
      specs: new DataLoader(
        async (ids: readonly string[]) => groupByJob(ids, await this.jobs.specs(ids)).map((rows) => rows[0]),
        options,
      ),
    };
  }
}

function groupByJob<T extends { job_id: string }>(ids: readonly string[], rows: T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const row of rows) groups.set(row.job_id, [...(groups.get(row.job_id) ?? []), row]);
  return ids.map((id) => groups.get(id) ?? []);
}
