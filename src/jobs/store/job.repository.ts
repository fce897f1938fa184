import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/principal.js';
import { Database } from '../../database/database.js';
import type { InputFile } from '../../workspace/workspace-content.js';
import type { OutputFile } from '../../outputs/store/output-store.js';
import type { Attempt, Job, JobSpec, Label } from '../record/job.js';
import type { JobReason } from '../record/job-reason.js';
import type { JobState } from '../record/job-state.js';
import { LIVE_STATES, statesBefore } from '../record/job-state.js';
import { deleteJobRows } from './delete-job-rows.js';
import type { DeletedJob } from './deleted-job.js';
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
    for (const label of query.labels ?? [])
      select = select.where('jobs.id', 'in', this.idsWithLabel(principal, label));
    return select;
  }

  private idsWithLabel(principal: Principal, label: Label) {
    return this.db
      .selectFrom('job_labels')
      .select('job_id')
      .where(ofTenant(principal, 'job_labels.tenant_id'))
      .where('name', '=', label.name)
      .where('value', '=', label.value);
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
      .where(ofTenant(principal, 'job_labels.tenant_id'))
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

  /** The ids of all jobs that have not ended, and of the newest whatever their state. */
  async recent(principal: Principal): Promise<{ live: string[]; newest: string[] }> {
    const ids = this.db.selectFrom('jobs').select('id').where(ofTenant(principal));
    const live = await ids
      .where('state', 'in', ['QUEUED', ...LIVE_STATES])
      .limit(10_000)
      .execute();
    const newest = await ids.orderBy('id', 'desc').limit(1_000).execute();
    return { live: live.map(({ id }) => id), newest: newest.map(({ id }) => id) };
  }

  /** Ends a job that waits. False when it does not wait (any more). */
  async cancelQueued(principal: Principal, id: string, nowMs: number): Promise<boolean> {
    const query = this.db
      .updateTable('jobs')
      .set({
        state: 'CANCELLED',
        reason: 'CANCELLED_BY_USER',
        message: 'The job was cancelled before it started.',
        cancel_requested: 1,
        finished_at: nowMs,
      })
      .where('id', '=', id)
      .where(ofTenant(principal))
      .where('state', '=', 'QUEUED');
    const result = await this.database.essential(() => query.executeTakeFirst());
    return Number(result.numUpdatedRows) === 1;
  }

  /** Sets the cancel flag of a live job. False when the job is not live. */
  async requestCancel(principal: Principal, id: string): Promise<boolean> {
    const query = this.db
      .updateTable('jobs')
      .set({ cancel_requested: 1 })
      .where('id', '=', id)
      .where(ofTenant(principal))
      .where(
        'state',
        'in',
        statesBefore('CANCELLED').filter((state) => state !== 'QUEUED'),
      );
    const result = await this.database.essential(() => query.executeTakeFirst());
    return Number(result.numUpdatedRows) === 1;
  }

  /** Deletes a finished job's rows, all of them. Undefined when it is not there, or not finished. */
  async deleteFinished(principal: Principal, id: string): Promise<DeletedJob | undefined> {
    const [deleted] = await this.database.essential(() =>
      this.db.transaction().execute((tx) => deleteJobRows(tx, principal, [id])),
    );
    return deleted;
  }
}

function groupByJob<T>(entries: readonly (readonly [jobId: string, value: T])[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const [id, value] of entries) {
    const group = groups.get(id);
    if (group) group.push(value);
    else groups.set(id, [value]);
  }
  return groups;
}
