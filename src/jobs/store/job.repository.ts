import { Injectable } from '@nestjs/common';
import type { Selectable, Transaction } from 'kysely';
import { sql } from 'kysely';
import { Database } from '../../database/database.js';
import type {
  AttemptRow,
  AttemptsTable,
  JobRow,
  JobSpecsTable,
  OutputFileRow,
  Tables,
} from '../../database/tables.js';
import type { ClaimedJob, Taker } from './claimed-job.js';
import { toAttemptRow, toClaim } from './claimed-job.js';
import { deleteJobRows } from './delete-job-rows.js';
import type { DeletedJob } from './deleted-job.js';
import { IdempotencyMismatchError, JobNotFoundError, QueueFullError } from '../record/job.errors.js';
import type { JobReason } from '../record/job-reason.js';
import type { JobState } from '../record/job-state.js';
import { LIVE_STATES, statesBefore } from '../record/job-state.js';
import type { JobSubmission } from '../record/job-submission.js';
import { submissionDigest } from '../record/job-submission.js';

export interface JobFilter {
  states?: JobState[];
  reasons?: JobReason[];
  nameContains?: string;
  labels?: { name: string; value: string }[];
  createdAfterMs?: number;
  createdBeforeMs?: number;
}

export interface StoredJob {
  job: JobRow;
  /** Set when the job was taken as it was stored. */
  claim?: ClaimedJob;
}

const TENANT = 'default';

/** Reads and the writes that need no fence: submit, cancel, delete. */
@Injectable()
export class JobRepository {
  constructor(private readonly database: Database) {}

  private get db(): Database['db'] {
    return this.database.db;
  }

  /**
   * Stores a new job in one commit, or finds the one that its idempotency key names. Where there is a `refusal`, nothing
   * new is stored and it is thrown. A new job that nobody waits before is taken by `taker` with the same commit.
   * @throws QueueFullError, IdempotencyMismatchError, StorageFullError
   */
  async insert(
    id: string,
    submission: JobSubmission,
    nowMs: number,
    maxQueued: number,
    refusal?: Error,
    taker?: Taker,
  ): Promise<StoredJob> {
    const stored = await this.db.transaction().execute(async (tx): Promise<StoredJob | string> => {
      const known = await this.claimIdempotencyKey(tx, id, submission);
      if (known) return known;
      if (refusal) throw refusal;
      const waiting = await countWaiting(tx);
      if (waiting >= maxQueued) throw new QueueFullError(maxQueued);
      const takes = waiting === 0 ? taker : undefined;
      const job = await tx
        .insertInto('jobs')
        .values({ ...toJobRow(id, submission, nowMs), ...(takes && this.toTaken(takes, nowMs)) })
        .returningAll()
        .executeTakeFirstOrThrow();
      const spec = toSpecRow(id, submission);
      await tx.insertInto('job_specs').values(spec).execute();
      if (submission.files.length > 0) {
        await tx
          .insertInto('job_input_files')
          .values(submission.files.map((file) => ({ job_id: id, ...file })))
          .execute();
      }
      if (submission.labels.length > 0) {
        await tx
          .insertInto('job_labels')
          .values(submission.labels.map((label) => ({ job_id: id, ...label })))
          .execute();
      }
      if (submission.idempotencyKey !== null) {
        await tx
          .insertInto('idempotency_keys')
          .values({
            key: submission.idempotencyKey,
            job_id: id,
            body_sha256: submissionDigest(submission),
            created_at: nowMs,
          })
          .execute();
      }
      if (!takes) return { job };
      const attempt = toAttemptRow(job, nowMs, takes.plan(job, spec));
      await tx.insertInto('attempts').values(attempt).execute();
      return { job, claim: toClaim(job, attempt, spec, takes.owner) };
    });
    if (typeof stored !== 'string') return stored;
    const job = await this.find(stored);
    if (!job) throw new JobNotFoundError(stored);
    return { job };
  }

  /** As a claim leaves the row. */
  private toTaken({ owner, leaseMs }: Taker, nowMs: number) {
    return {
      state: 'STARTING',
      attempt: 1,
      epoch: 1,
      owner,
      lease_until: sql<number>`${this.database.now()} + ${sql.lit(leaseMs)}`,
      claimed_at: nowMs,
    };
  }

  private async claimIdempotencyKey(
    tx: Transaction<Tables>,
    id: string,
    submission: JobSubmission,
  ): Promise<string | undefined> {
    if (submission.idempotencyKey === null) return undefined;
    await this.database.lockText(tx, `idempotency:${TENANT}:${submission.idempotencyKey}`);
    const known = await tx
      .selectFrom('idempotency_keys')
      .select(['job_id', 'body_sha256'])
      .where('tenant_id', '=', TENANT)
      .where('key', '=', submission.idempotencyKey)
      .executeTakeFirst();
    if (known && known.body_sha256 !== submissionDigest(submission)) throw new IdempotencyMismatchError();
    return known?.job_id;
  }

  async find(id: string): Promise<JobRow | undefined> {
    return this.db
      .selectFrom('jobs')
      .selectAll()
      .where('tenant_id', '=', TENANT)
      .where('id', '=', id)
      .executeTakeFirst();
  }

  /** Those of `ids` that match, in no particular order. */
  async findMatching(ids: readonly string[], filter: JobFilter): Promise<JobRow[]> {
    return this.matching(filter).where('jobs.id', 'in', ids).execute();
  }

  /** Newest first; `after` is the id that the page begins behind. */
  async list(filter: JobFilter, limit: number, after?: string): Promise<JobRow[]> {
    const [first, ...others] = filter.labels ?? [];
    const query = this.matching({ ...filter, labels: others }).limit(limit);
    if (!first) {
      return (after ? query.where('jobs.id', '<', after) : query).orderBy('jobs.id', 'desc').execute();
    }
    // Driven by the label's index, which ends in the job's id: a page costs a page, however many jobs there are.
    const labelled = query
      .innerJoin('job_labels', 'job_labels.job_id', 'jobs.id')
      .where('job_labels.tenant_id', '=', TENANT)
      .where('job_labels.name', '=', first.name)
      .where('job_labels.value', '=', first.value);
    return (after ? labelled.where('job_labels.job_id', '<', after) : labelled)
      .orderBy('job_labels.job_id', 'desc')
      .execute();
  }

  private matching(filter: JobFilter) {
    let query = this.db.selectFrom('jobs').selectAll('jobs').where('jobs.tenant_id', '=', TENANT);
    if (filter.states) query = query.where('jobs.state', 'in', filter.states);
    if (filter.reasons) query = query.where('jobs.reason', 'in', filter.reasons);
    if (filter.createdAfterMs !== undefined)
      query = query.where('jobs.created_at', '>', filter.createdAfterMs);
    if (filter.createdBeforeMs !== undefined)
      query = query.where('jobs.created_at', '<', filter.createdBeforeMs);
    if (filter.nameContains)
      query = query.where(this.database.textContains('jobs.name', filter.nameContains));
    for (const label of filter.labels ?? []) query = query.where('jobs.id', 'in', this.idsWithLabel(label));
    return query;
  }

  private idsWithLabel(label: { name: string; value: string }) {
    return this.db
      .selectFrom('job_labels')
      .select('job_id')
      .where('tenant_id', '=', TENANT)
      .where('name', '=', label.name)
      .where('value', '=', label.value);
  }

  async spec(id: string): Promise<Selectable<JobSpecsTable> | undefined> {
    return this.db.selectFrom('job_specs').selectAll().where('job_id', '=', id).executeTakeFirst();
  }

  async specs(ids: readonly string[]): Promise<Selectable<JobSpecsTable>[]> {
    return this.db.selectFrom('job_specs').selectAll().where('job_id', 'in', ids).execute();
  }

  async inputFiles(id: string): Promise<{ path: string; content: Buffer }[]> {
    const rows = await this.db
      .selectFrom('job_input_files')
      .select(['path', 'content'])
      .where('job_id', '=', id)
      .execute();
    return rows.map(({ path, content: { buffer, byteOffset, length } }) => ({
      path,
      content: Buffer.from(buffer, byteOffset, length),
    }));
  }

  async labels(ids: readonly string[]): Promise<{ job_id: string; name: string; value: string }[]> {
    return this.db
      .selectFrom('job_labels')
      .select(['job_id', 'name', 'value'])
      .where('job_id', 'in', ids)
      .orderBy('name')
      .execute();
  }

  async attempts(ids: readonly string[]): Promise<AttemptRow[]> {
    return this.db.selectFrom('attempts').selectAll().where('job_id', 'in', ids).orderBy('number').execute();
  }

  async attempt(id: string, number: number): Promise<Selectable<AttemptsTable> | undefined> {
    return this.db
      .selectFrom('attempts')
      .selectAll()
      .where('job_id', '=', id)
      .where('number', '=', number)
      .executeTakeFirst();
  }

  /** The output files of one attempt, by path, behind the path `after`. */
  async outputs(id: string, attempt: number, limit: number, after?: string): Promise<OutputFileRow[]> {
    let query = this.db
      .selectFrom('output_files')
      .selectAll()
      .where('job_id', '=', id)
      .where('attempt', '=', attempt);
    if (after) query = query.where('path', '>', after);
    return query.orderBy('path').limit(limit).execute();
  }

  async output(id: string, attempt: number, path: string): Promise<OutputFileRow | undefined> {
    return this.db
      .selectFrom('output_files')
      .selectAll()
      .where('job_id', '=', id)
      .where('attempt', '=', attempt)
      .where('path', '=', path)
      .executeTakeFirst();
  }

  /** How many jobs wait and run. Finished ones are not counted: that would read the whole table. */
  async countByState(): Promise<Map<string, number>> {
    const states = ['QUEUED', ...LIVE_STATES] as const;
    const rows = await this.db
      .selectFrom('jobs')
      .select((eb) => ['state', eb.fn.countAll<number>().as('count')])
      .where('tenant_id', '=', TENANT)
      .where('state', 'in', states)
      .groupBy('state')
      .execute();
    return new Map(rows.map((row) => [row.state, Number(row.count)]));
  }

  /** The ids of all jobs that have not ended, and of the newest whatever their state. */
  async recent(): Promise<{ live: string[]; newest: string[] }> {
    const ids = this.db.selectFrom('jobs').select('id').where('tenant_id', '=', TENANT);
    const live = await ids
      .where('state', 'in', ['QUEUED', ...LIVE_STATES])
      .limit(10_000)
      .execute();
    const newest = await ids.orderBy('id', 'desc').limit(1_000).execute();
    return { live: live.map(({ id }) => id), newest: newest.map(({ id }) => id) };
  }

  /** Ends a job that waits. False when it does not wait (any more). */
  async cancelQueued(id: string, nowMs: number): Promise<boolean> {
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
      .where('state', '=', 'QUEUED');
    const result = await this.database.essential(() => query.executeTakeFirst());
    return Number(result.numUpdatedRows) === 1;
  }

  /** Raises the flag of a live job. False when it is not live. */
  async requestCancel(id: string): Promise<boolean> {
    const query = this.db
      .updateTable('jobs')
      .set({ cancel_requested: 1 })
      .where('id', '=', id)
      .where(
        'state',
        'in',
        statesBefore('CANCELLED').filter((state) => state !== 'QUEUED'),
      );
    const result = await this.database.essential(() => query.executeTakeFirst());
    return Number(result.numUpdatedRows) === 1;
  }

  /** Deletes a finished job's rows, all of them. Undefined when it is not there, or not finished. */
  async deleteFinished(id: string): Promise<DeletedJob | undefined> {
    const [deleted] = await this.database.essential(() =>
      this.db.transaction().execute((tx) => deleteJobRows(tx, [id])),
    );
    return deleted;
  }
}

async function countWaiting(tx: Transaction<Tables>): Promise<number> {
  const row = await tx
    .selectFrom('jobs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', '=', sql.lit('QUEUED'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

function toJobRow(id: string, submission: JobSubmission, nowMs: number) {
  return {
    id,
    name: submission.name,
    environment: submission.environment,
    priority: submission.priority,
    state: 'QUEUED',
    // At once, whatever the clocks say.
    available_at: 0,
    timeout_seconds: submission.timeoutSeconds,
    memory_mb: submission.memoryMb,
    cpus: submission.cpus,
    network: submission.network,
    retries: submission.retries,
    created_at: nowMs,
  };
}

function toSpecRow(id: string, submission: JobSubmission) {
  return {
    job_id: id,
    script: submission.script,
    request: JSON.stringify(submission.request ?? null),
    env: JSON.stringify(submission.env),
    secrets: JSON.stringify(submission.secrets),
  };
}
