import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import { sql } from 'kysely';
import type { Principal } from '../../common/principal.js';
import { Database } from '../../database/database.js';
import type { Tables } from '../../database/tables.js';
import type { ClaimedJob, Job, NewAttempt } from '../record/job.js';
import { IdempotencyMismatchError, JobNotFoundError, QueueFullError } from '../record/job.errors.js';
import type { JobSubmission } from '../record/job-submission.js';
import { submissionDigest } from '../record/job-submission.js';
import { insertJob } from './change-jobs.js';
import { JobRepository } from './job.repository.js';
import { toAttemptRow, toClaim, toJob, toJobRow, toSpecRow } from './rows.js';

/** How a job is taken by the very commit that stores it. */
export interface Take {
  readonly owner: string;
  readonly leaseMs: number;
  /** Its first attempt. */
  readonly attempt: NewAttempt;
}

export interface NewJob {
  readonly id: string;
  readonly nowMs: number;
  /** How many jobs may wait. */
  readonly maxQueued: number;
  /** Thrown instead of storing a new job; undefined when there is room. */
  readonly refusal?: Error;
  /** Set when a slot is reserved for it; used only when no other job waits. */
  readonly take?: Take;
}

export interface StoredJob {
  readonly job: Job;
  /** Set when the job was taken as it was stored. */
  readonly claim?: ClaimedJob;
}

/** How jobs come to be. */
@Injectable()
export class SubmissionRepository {
  constructor(
    private readonly database: Database,
    private readonly jobs: JobRepository,
  ) {}

  /**
   * Stores a new job in one commit, or finds the one that its idempotency key names. With a refusal
   * nothing new is stored, and the refusal is thrown. When no other job waits, the same commit takes the new one.
   * @throws QueueFullError, IdempotencyMismatchError, StorageFullError
   */
  async insert(principal: Principal, submission: JobSubmission, more: NewJob): Promise<StoredJob> {
    const tenant = tenantOf(principal);
    const digest = submission.idempotencyKey === null ? undefined : submissionDigest(submission);
    const stored = await this.database.db.transaction().execute(async (tx): Promise<StoredJob | string> => {
      const known = await this.knownBy(tx, tenant, submission.idempotencyKey, digest);
      if (known !== undefined) return known;
      if (more.refusal) throw more.refusal;
      const waiting = await countWaiting(tx);
      if (waiting >= more.maxQueued) throw new QueueFullError(more.maxQueued);
      return this.store(
        tx,
        tenant,
        submission,
        { ...more, take: waiting === 0 ? more.take : undefined },
        digest,
      );
    });
    if (typeof stored !== 'string') return stored;
    const job = await this.jobs.find(principal, stored);
    if (!job) throw new JobNotFoundError(stored);
    return { job };
  }

  private async store(
    tx: Transaction<Tables>,
    tenant: string,
    submission: JobSubmission,
    { id, nowMs, take }: NewJob,
    digest: string | undefined,
  ): Promise<StoredJob> {
    const row = await insertJob(this.database, tx, {
      ...toJobRow(id, tenant, submission, nowMs),
      ...(take && this.toTaken(take, nowMs)),
    });
    await tx.insertInto('job_specs').values(toSpecRow(id, submission)).execute();
    const { files, labels, idempotencyKey } = submission;
    if (files.length > 0)
      await tx
        .insertInto('job_input_files')
        .values(files.map((file) => ({ job_id: id, ...file })))
        .execute();
    if (labels.length > 0)
      await tx
        .insertInto('job_labels')
        .values(labels.map((label) => ({ job_id: id, tenant_id: tenant, ...label })))
        .execute();
    if (idempotencyKey !== null && digest !== undefined)
      await tx
        .insertInto('idempotency_keys')
        .values({
          tenant_id: tenant,
          key: idempotencyKey,
          job_id: id,
          body_sha256: digest,
          created_at: nowMs,
        })
        .execute();
    const job = toJob(row);
    if (!take) return { job };
    const attempt = toAttemptRow(job, nowMs, take.attempt);
    await tx.insertInto('attempts').values(attempt).execute();
    return { job, claim: { ...toClaim(job, attempt, submission, take.owner), files } };
  }

  /** The columns as a claim would leave them. */
  private toTaken({ owner, leaseMs }: Take, nowMs: number) {
    return {
      state: 'STARTING',
      attempt: 1,
      epoch: 1,
      owner,
      lease_until: sql<number>`${this.database.now()} + ${sql.lit(leaseMs)}`,
      claimed_at: nowMs,
    };
  }

  /** The job that was stored with the key before. */
  private async knownBy(
    tx: Transaction<Tables>,
    tenant: string,
    key: string | null,
    digest: string | undefined,
  ): Promise<string | undefined> {
    if (key === null) return undefined;
    await this.database.lockText(tx, `idempotency:${tenant}:${key}`);
    const known = await tx
      .selectFrom('idempotency_keys')
      .select(['job_id', 'body_sha256'])
      .where('tenant_id', '=', tenant)
      .where('key', '=', key)
      .executeTakeFirst();
    if (known && known.body_sha256 !== digest) throw new IdempotencyMismatchError();
    return known?.job_id;
  }
}

/** The service itself has no jobs of its own. */
function tenantOf({ name, tenant }: Principal): string {
  if (tenant === undefined) throw new Error(`${name} acts for no tenant`);
  return tenant;
}

async function countWaiting(tx: Transaction<Tables>): Promise<number> {
  const row = await tx
    .selectFrom('jobs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', '=', sql.lit('QUEUED'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
