import {
  Args,
  Context,
  ID,
  Int,
  Mutation,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { GraphQLJSON } from 'graphql-scalars';
import { BadInputError } from '../../common/app-error.js';
import type { Called } from '../../common/caller.decorator.js';
import { Caller } from '../../common/caller.decorator.js';
import { isId } from '../../common/ids.js';
import type { Principal } from '../../common/principal.js';
import { requireScope } from '../../common/principal.js';
import { pageSize } from '../../common/page-size.js';
import { iterateWithAbort } from '../../common/async/iterate-with-abort.js';
import { LimitsConfig } from '../../config/parts/limits-config.js';
import { SecretsConfig } from '../../config/parts/secrets-config.js';
import { JobDetailsLoader } from './job-details.loader.js';
import { JobFollower } from '../job-follower.js';
import type { JobQuery } from '../store/job.repository.js';
import { JobRepository } from '../store/job.repository.js';
import { JobService } from '../job.service.js';
import { JobConnection, RunScriptPayload } from './models/job-connection.model.js';
import { Attempt, Job, JobStart, Label, OutputFile, SkippedOutput } from './models/job.model.js';
import { JobFilter, RunScriptInput } from './models/run-script.input.js';
import type * as record from '../record/job.js';
import { toAttemptModel, toJobModel, toOutputModel } from './to-job-model.js';
import { checkLabels, storable, toJobSubmission } from './to-job-submission.js';

const DEFAULT_PAGE = 20;
const MAX_PAGE = 100;
const MAX_OUTPUTS_PAGE = 1000;
/** A script or a request of up to 900 KiB. */
const SPEC_COST = 100;
/** Up to a thousand rows of one index range. */
const OUTPUTS_COST = 50;

@Resolver(() => Job)
export class JobResolver {
  constructor(
    private readonly jobs: JobService,
    private readonly repository: JobRepository,
    private readonly follower: JobFollower,
    private readonly loader: JobDetailsLoader,
    private readonly limits: LimitsConfig,
    private readonly jobSecrets: SecretsConfig,
  ) {}

  @Mutation(() => RunScriptPayload, {
    description:
      'Accepts a script to be run. When this answers, the job is stored: QUEUED, or STARTING when it need not wait.',
  })
  async runScript(
    @Caller() caller: Principal,
    @Args('input') input: RunScriptInput,
  ): Promise<RunScriptPayload> {
    const submission = toJobSubmission(input, this.limits, this.jobSecrets);
    return { job: toJobModel(await this.jobs.submit(caller, submission)) };
  }

  @Mutation(() => Job, {
    description:
      'Ends a job. A waiting one at once, a live one when its workload has ended; a finished one is returned as it is.',
  })
  async cancelJob(@Caller() caller: Principal, @Args('id', { type: () => ID }) id: string): Promise<Job> {
    return toJobModel(await this.jobs.cancel(caller, id));
  }

  @Mutation(() => ID, {
    description:
      'Deletes a finished job with its log and outputs; one that is not there is a success. A live job: CONFLICT.',
  })
  async deleteJob(@Caller() caller: Principal, @Args('id', { type: () => ID }) id: string): Promise<string> {
    await this.jobs.delete(caller, id);
    return id;
  }

  @Query(() => Job, { nullable: true })
  async job(@Caller() caller: Principal, @Args('id', { type: () => ID }) id: string): Promise<Job> {
    return toJobModel(await this.jobs.get(caller, id));
  }

  @Query(() => JobConnection, { name: 'jobs', description: 'Jobs, newest first.' })
  async list(
    @Caller() caller: Principal,
    @Args('filter', { type: () => JobFilter, nullable: true }) filter: JobFilter | null,
    @Args('first', { type: () => Int, nullable: true, defaultValue: DEFAULT_PAGE, description: '1 to 100.' })
    first: number | null,
    @Args('after', { type: () => String, nullable: true }) after: string | null,
  ): Promise<JobConnection> {
    const size = pageSize(first, DEFAULT_PAGE, MAX_PAGE);
    const jobs = await this.jobs.list(caller, toQuery(filter), size + 1, decodeJobCursor(after));
    return toConnection(jobs, size, Boolean(after));
  }

  @Subscription(() => Job, {
    description: 'The job as it is, then as it changes; completes with its final state.',
    resolve: (job: Job) => job,
  })
  async jobUpdated(
    @Caller() caller: Principal,
    @Args('jobId', { type: () => ID }) jobId: string,
  ): Promise<AsyncIterableIterator<Job>> {
    await this.jobs.get(caller, jobId);
    return iterateWithAbort((signal) => mapJobs(this.follower.follow(caller, jobId, signal)));
  }

  @Subscription(() => Job, {
    description: 'Every job that matches, at each change from now on.',
    resolve: (job: Job) => job,
  })
  jobsUpdated(
    @Caller() caller: Principal,
    @Args('filter', { type: () => JobFilter, nullable: true }) filter: JobFilter | null,
  ): AsyncIterableIterator<Job> {
    requireScope(caller, 'jobs:read');
    const query = toQuery(filter);
    return iterateWithAbort((signal) => mapJobs(this.follower.followAll(caller, query, signal)));
  }

  @ResolveField(() => [Label])
  async labels(@Parent() job: Job, @Context() context: Called): Promise<Label[]> {
    return [...(await this.loader.of(context).labels.load(job.id))];
  }

  @ResolveField(() => String, { complexity: SPEC_COST, description: 'The script as it was sent.' })
  async script(@Parent() job: Job, @Context() context: Called): Promise<string> {
    return (await this.loader.of(context).specs.load(job.id))?.script ?? '';
  }

  @ResolveField(() => GraphQLJSON, { nullable: true, complexity: SPEC_COST })
  async request(@Parent() job: Job, @Context() context: Called): Promise<unknown> {
    const spec = await this.loader.of(context).specs.load(job.id);
    return spec ? (JSON.parse(spec.requestText) as unknown) : null;
  }

  @ResolveField(() => [String], {
    complexity: SPEC_COST,
    description: 'Names of the secrets that the script was given.',
  })
  async secrets(@Parent() job: Job, @Context() context: Called): Promise<string[]> {
    const spec = await this.loader.of(context).specs.load(job.id);
    return [...(spec?.secrets ?? [])];
  }

  @ResolveField(() => [Attempt])
  async attempts(@Parent() job: Job, @Context() context: Called): Promise<Attempt[]> {
    return (await this.loader.of(context).attempts.load(job.id)).map(toAttemptModel);
  }

  @ResolveField(() => String, {
    nullable: true,
    description: 'Name of the current attempt’s container, pod or process.',
  })
  async workload(@Parent() job: Job, @Context() context: Called): Promise<string | null> {
    return (await this.currentAttempt(job, context))?.workload ?? null;
  }

  @ResolveField(() => JobStart, { nullable: true })
  async start(@Parent() job: Job, @Context() context: Called): Promise<JobStart | null> {
    const attempt = await this.currentAttempt(job, context);
    return attempt ? { kind: attempt.startKind, why: attempt.startWhy } : null;
  }

  @ResolveField(() => [OutputFile], {
    complexity: OUTPUTS_COST,
    description: 'What the script left in /output, by path; there once the job has ended.',
  })
  async outputs(
    @Caller() caller: Principal,
    @Parent() job: Job,
    @Args('first', {
      type: () => Int,
      nullable: true,
      defaultValue: MAX_OUTPUTS_PAGE,
      description: '1 to 1000.',
    })
    first: number | null,
    @Args('after', {
      type: () => String,
      nullable: true,
      description: 'The `path` that the page begins behind.',
    })
    after: string | null,
  ): Promise<OutputFile[]> {
    const size = pageSize(first, MAX_OUTPUTS_PAGE, MAX_OUTPUTS_PAGE);
    const files = await this.repository.outputs(
      caller,
      job.id,
      job.attempt,
      size,
      after ? storable('after', after, 'outputs') : undefined,
    );
    return files.map((file) => toOutputModel(job.id, file));
  }

  @ResolveField(() => [SkippedOutput], { description: 'What in /output was not kept, at most 100 entries.' })
  async skippedOutputs(@Parent() job: Job, @Context() context: Called): Promise<SkippedOutput[]> {
    const attempt = await this.currentAttempt(job, context);
    return [...(attempt?.skippedOutputs ?? [])];
  }

  private async currentAttempt(job: Job, context: Called): Promise<record.Attempt | undefined> {
    const attempts = await this.loader.of(context).attempts.load(job.id);
    return attempts.find((attempt) => attempt.number === job.attempt);
  }
}

async function* mapJobs(
  jobs: AsyncGenerator<record.Job, void, undefined>,
): AsyncGenerator<Job, void, undefined> {
  for await (const job of jobs) yield toJobModel(job);
}

function toQuery(filter: JobFilter | null): JobQuery {
  return {
    states: filter?.states?.length ? filter.states : undefined,
    reasons: filter?.reasons?.length ? filter.reasons : undefined,
    nameContains: filter?.nameContains ? storable('nameContains', filter.nameContains, 'filter') : undefined,
    labels: filter?.labels ? checkLabels(filter.labels, 'filter') : undefined,
    createdAfterMs: filter?.createdAfter?.getTime(),
    createdBeforeMs: filter?.createdBefore?.getTime(),
  };
}

function toConnection(jobs: record.Job[], first: number, hasPreviousPage: boolean): JobConnection {
  const edges = jobs
    .slice(0, first)
    .map((job) => ({ cursor: encodeJobCursor(job.id), node: toJobModel(job) }));
  return {
    edges,
    pageInfo: {
      hasNextPage: jobs.length > first,
      hasPreviousPage,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

function encodeJobCursor(id: string): string {
  return Buffer.from(`job:${id}`).toString('base64url');
}

function decodeJobCursor(cursor: string | null): string | undefined {
  if (cursor === null || cursor === undefined) return undefined;
  const [kind, id] = Buffer.from(cursor, 'base64url').toString('latin1').split(':');
  if (kind !== 'job' || !isId(id ?? ''))
    throw new BadInputError('This is not a cursor of a job list.', 'after');
  return id;
}
