import { Injectable } from '@nestjs/common';
import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { Principal } from '../../common/principal.js';
import { Database } from '../../database/database.js';
import type { InputFile } from '../../workspace/workspace-content.js';
import type { OutputFile } from '../../outputs/store/output-store.js';
import type { Attempt, Job, JobSpec, Label } from '../record/job.js';
import type { JobReason } from '../record/job-reason.js';
import type { JobState } from '../record/job-state.js';
import { LIVE_STATES } from '../record/job-state.js';
import { changeJobs } from './change-jobs.js';
import { deleteJobRows } from './delete-job-rows.js';
import type { DeletedJob } from './deleted-job.js';
import type { JobEnd } from './end-job.js';
import { endJob } from './end-job.js';
import { isLive } from './is-live.js';
import { ATTEMPT_COLUMNS, toAttempt, toJob, toJobSpec, toOutputFile } from './rows.js';
import { ofTenant, ofTenantsJob } from './of-tenant.js';

/** Which jobs are asked for: those that match all that is given. */
export interface JobQuery {
  states?: JobState[];
  reasons?: JobReason[];
  nameContains?: string;
  labels?: readonly Label[];
  createdAfterMs?: number;
  createdBeforeMs?: number;
}

/** Reads and the writes that need no fence: cancel, delete. */
@Injectable()
export class JobRepository {
  constructor(private readonly database: Database) {}

  private get db(): Database['db'] {
    return this.database.db;
  }

  async find(principal: Principal, id: string): Promise<Job | undefined> {
    const row = await this.db
      .selectFrom('jobs')
      .selectAll()
      .where(ofTenant(principal))
      .where('id', '=', id)
      .executeTakeFirst();
    return row && toJob(row);
  }

  /** Those of `ids` that match, in no particular order. */
  async findMatching(principal: Principal, ids: readonly string[], query: JobQuery): Promise<Job[]> {
    return (await this.matching(principal, query).where('jobs.id', 'in', ids).execute()).map(toJob);
  }

  /** Newest first; `after` is the id that the page begins behind. */
  async list(principal: Principal, query: JobQuery, limit: number, after?: string): Promise<Job[]> {
    return (await this.page(principal, query, limit, after)).map(toJob);
  }

  private page(principal: Principal, query: JobQuery, limit: number, after?: string) {
    const [first, ...others] = query.labels ?? [];
    const select = this.matching(principal, { ...query, labels: others }).limit(limit);
    if (!first) {
      return (after ? select.where('jobs.id', '<', after) : select).orderBy('jobs.id', 'desc').execute();
    }
    // Driven by the label's index, which ends in the job's id: reading a page costs the same however many jobs there are.
    const labelled = select
      .innerJoin('job_labels', 'job_labels.job_id', 'jobs.id')
      .where(ofTenant(principal, 'job_labels.tenant_id'))
      .where('job_labels.name', '=', first.name)
      .where('job_labels.value', '=', first.value);
    return (after ? labelled.where('job_labels.job_id', '<', after) : labelled)
      .orderBy('job_labels.job_id', 'desc')
      .execute();
  }

  private matching(principal: Principal, query: JobQuery) {
    let select = this.db.selectFrom('jobs').selectAll('jobs').where(ofTenant(principal));
    if (query.states) select = select.where('jobs.state', 'in', query.states);
    if (query.reasons) select = select.where('jobs.reason', 'in', query.reasons);
    if (query.createdAfterMs !== undefined)
      select = select.where('jobs.created_at', '>', query.createdAfterMs);
    if (query.createdBeforeMs !== undefined)
      select = select.where('jobs.created_at', '<', query.createdBeforeMs);
    if (query.nameContains)
      select = select.where(this.database.textContains('jobs.name', query.nameContains));
    for (const label of query.labels ?? []) select = select.where(hasLabel(label));
    return select;
  }

  /** By the id of their job. */
  async specs(principal: Principal, ids: readonly string[]): Promise<Map<string, JobSpec>> {
    const rows = await this.db
      .selectFrom('job_specs')
      .selectAll()
      .where('job_id', 'in', ids)
      .where(ofTenantsJob(principal, 'job_specs.job_id'))
      .execute();
    return new Map(rows.map((row) => [row.job_id, toJobSpec(row)]));
  }

  async inputFiles(principal: Principal, id: string): Promise<InputFile[]> {
    const rows = await this.db
      .selectFrom('job_input_files')
      .select(['path', 'content'])
      .where('job_id', '=', id)
      .where(ofTenantsJob(principal, 'job_input_files.job_id'))
      .execute();
    return rows.map(({ path, content: { buffer, byteOffset, length } }) => ({
      path,
      content: Buffer.from(buffer, byteOffset, length),
    }));
  }

  /** By the id of their job, each job's by name. */
  async labels(principal: Principal, ids: readonly string[]): Promise<Map<string, Label[]>> {
    const rows = await this.db
      .selectFrom('job_labels')
      .select(['job_id', 'name', 'value'])
      .where('job_id', 'in', ids)
      // By the job's tenant: SQLite would take the label's for the better key, and read the labels of all jobs.
      .where(ofTenantsJob(principal, 'job_labels.job_id'))
      .orderBy('name')
      .execute();
    return groupByJob(rows.map(({ job_id, ...label }) => [job_id, label]));
  }

  /** By the id of their job, each job's by number. */
  async attempts(principal: Principal, ids: readonly string[]): Promise<Map<string, Attempt[]>> {
    const rows = await this.db
      .selectFrom('attempts')
      .select(ATTEMPT_COLUMNS)
      .where('job_id', 'in', ids)
      .where(ofTenantsJob(principal, 'attempts.job_id'))
      .orderBy('number')
      .execute();
    return groupByJob(rows.map((row) => [row.job_id, toAttempt(row)]));
  }

  async attemptsOf(principal: Principal, id: string): Promise<Attempt[]> {
    return (await this.attempts(principal, [id])).get(id) ?? [];
  }

  async attempt(principal: Principal, id: string, number: number): Promise<Attempt | undefined> {
    const row = await this.db
      .selectFrom('attempts')
      .select(ATTEMPT_COLUMNS)
      .where('job_id', '=', id)
      .where('number', '=', number)
      .where(ofTenantsJob(principal, 'attempts.job_id'))
      .executeTakeFirst();
    return row && toAttempt(row);
  }

  /** The output files of one attempt, by path, behind the path `after`. */
  async outputs(
    principal: Principal,
    id: string,
    attempt: number,
    limit: number,
    after?: string,
  ): Promise<OutputFile[]> {
    let query = this.db
      .selectFrom('output_files')
      .selectAll()
      .where('job_id', '=', id)
      .where('attempt', '=', attempt)
      .where(ofTenantsJob(principal, 'output_files.job_id'));
    if (after) query = query.where('path', '>', after);
    return (await query.orderBy('path').limit(limit).execute()).map(toOutputFile);
  }

  async output(
    principal: Principal,
    id: string,
    attempt: number,
    path: string,
  ): Promise<OutputFile | undefined> {
    const row = await this.db
      .selectFrom('output_files')
      .selectAll()
      .where('job_id', '=', id)
      .where('attempt', '=', attempt)
      .where(ofTenantsJob(principal, 'output_files.job_id'))
      .where('path', '=', path)
      .executeTakeFirst();
    return row && toOutputFile(row);
  }

  /** How many jobs wait and run. Finished ones are not counted: that would read the whole table. */
  async countByState(principal: Principal): Promise<Map<string, number>> {
    const states = ['QUEUED', ...LIVE_STATES] as const;
    const rows = await this.db
      .selectFrom('jobs')
      .select((eb) => ['state', eb.fn.countAll<number>().as('count')])
      .where(ofTenant(principal))
      .where('state', 'in', states)
      .groupBy('state')
      .execute();
    return new Map(rows.map((row) => [row.state, Number(row.count)]));
  }

  /** Ends a job that waits. False when it does not wait (any more). */
  async cancelQueued(principal: Principal, id: string, nowMs: number): Promise<boolean> {
    const end: JobEnd = { ...CANCELLED_WAITING, finishedAtMs: nowMs };
    return this.database.essential(() => endJob(this.database, undefined, { waiting: id, principal }, end));
  }

  /** Sets the cancel flag of a live job. False when the job is not live. */
  async requestCancel(principal: Principal, id: string): Promise<boolean> {
    const raise = () =>
      changeJobs(this.database, undefined, (db) =>
        db
          .updateTable('jobs')
          .set({ cancel_requested: 1 })
          .where('id', '=', id)
          .where(ofTenant(principal))
          .where('cancel_requested', '=', 0)
          .where(isLive()),
      );
    if ((await this.database.essential(raise)).length === 1) return true;
    // Somebody may have asked before.
    const job = await this.find(principal, id);
    return job !== undefined && job.isCancelRequested && LIVE_STATES.includes(job.state);
  }

  /** Deletes a finished job's rows, all of them. Undefined when it is not there, or not finished. */
  async deleteFinished(principal: Principal, id: string): Promise<DeletedJob | undefined> {
    const [deleted] = await this.database.essential(() =>
      this.db.transaction().execute((tx) => deleteJobRows(tx, principal, [id])),
    );
    return deleted;
  }
}

/** Asked of each job by the key of its labels: a label may be on very many jobs. */
function hasLabel({ name, value }: Label): RawBuilder<boolean> {
  return sql<boolean>`exists (select 1 from job_labels where job_labels.job_id = jobs.id
    and job_labels.name = ${name} and job_labels.value = ${value})`;
}

/** The end of a job that was cancelled while it waited. */
const CANCELLED_WAITING: Omit<JobEnd, 'finishedAtMs'> = {
  state: 'CANCELLED',
  reason: 'CANCELLED_BY_USER',
  message: 'The job was cancelled before it started.',
  hint: null,
  exitCode: null,
  signal: null,
  startedAtMs: null,
  endedAtMs: null,
  wallMs: null,
  cpuMs: null,
  peakMemoryBytes: null,
  logDroppedBytes: 0,
  storedBytes: 0,
};

function groupByJob<T>(entries: readonly (readonly [jobId: string, value: T])[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const [id, value] of entries) {
    const group = groups.get(id);
    if (group) group.push(value);
    else groups.set(id, [value]);
  }
  return groups;
}
