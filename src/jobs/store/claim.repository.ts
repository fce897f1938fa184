import { Injectable } from '@nestjs/common';
import type { QueryCreator, RawBuilder, SelectQueryBuilder, UpdateQueryBuilder, UpdateResult } from 'kysely';
import { sql } from 'kysely';
import { Database } from '../../database/database.js';
import type { Tables } from '../../database/tables.js';
import type { AdoptableJob, ClaimedJob, Job, JobSpec, NewAttempt } from '../record/job.js';
import { changeJobs } from './change-jobs.js';
import { isLive } from './is-live.js';
import { toAttemptRow, toClaim, toJob, toJobSpec } from './rows.js';

/** Longer than any wait before another attempt (retry-policy.ts). */
const MAX_WAIT_MS = 10 * 60_000;
/** Jobs of one claim: a statement of SQLite has room for 2,047 of their attempts (32,766 variables, 16 each). */
const MAX_CLAIM = 500;

/** Plans the next attempt of a job as it is taken. */
export type AttemptPlan = (job: Job, spec: JobSpec) => NewAttempt;

/** How replicas come to own jobs: claims from the queue, adoptions, leases. A claim and an adoption return their fence. */
@Injectable()
export class ClaimRepository {
  constructor(private readonly database: Database) {}

  /**
   * Takes up to `limit` waiting jobs, 500 at most, highest priority then oldest first, in one commit: each becomes STARTING
   * with its next attempt. `plan` makes the attempt's row (start intent, workspace, handle of a worker), and is called in
   * the order in which jobs are taken.
   */
  async claim(
    owner: string,
    limit: number,
    nowMs: number,
    leaseMs: number,
    plan: AttemptPlan,
  ): Promise<ClaimedJob[]> {
    return this.database.db.transaction().execute(async (tx) => {
      const taken = await changeJobs(this.database, tx, (db) => this.take(db, owner, limit, nowMs, leaseMs));
      if (taken.length === 0) return [];
      // `returning` gives the written rows in any order.
      const jobs = taken.sort((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1)).map(toJob);
      const rows = await tx
        .selectFrom('job_specs')
        .selectAll()
        .where(
          'job_id',
          'in',
          jobs.map(({ id }) => id),
        )
        .execute();
      const specs = new Map(rows.map((row) => [row.job_id, row]));
      const planned = jobs.flatMap((job) => {
        const row = specs.get(job.id);
        if (!row) return [];
        const spec = toJobSpec(row);
        return [{ job, spec, attempt: toAttemptRow(job, nowMs, plan(job, spec)) }];
      });
      await tx
        .insertInto('attempts')
        .values(planned.map(({ attempt }) => attempt))
        .execute();
      return planned.map(({ job, spec, attempt }) => toClaim(job, attempt, spec, owner));
    });
  }

  private take(
    db: QueryCreator<Tables>,
    owner: string,
    limit: number,
    nowMs: number,
    leaseMs: number,
  ): UpdateQueryBuilder<Tables, 'jobs', 'jobs', UpdateResult> {
    return (
      db
        // Materialized: otherwise PostgreSQL would run this query again for each row that it compares.
        .with(
          (cte) => cte('queued').materialized(),
          (each) => this.queued(each, Math.min(limit, MAX_CLAIM)),
        )
        .updateTable('jobs')
        .set((eb) => ({
          state: 'STARTING',
          attempt: eb('attempt', '+', 1),
          epoch: eb('epoch', '+', 1),
          owner,
          lease_until: sql<number>`${this.database.now()} + ${sql.lit(leaseMs)}`,
          claimed_at: nowMs,
          // The job shows why its last attempt failed only while it waits. The attempt itself keeps the reason.
          message: null,
        }))
        .where('id', 'in', (eb) => eb.selectFrom('queued').select('id'))
        .where('state', '=', sql.lit('QUEUED'))
    );
  }

  /** The ids of waiting jobs, which no other replica takes meanwhile. */
  private queued(
    db: QueryCreator<Tables>,
    limit: number,
  ): SelectQueryBuilder<Tables, 'jobs', { id: string }> {
    const query = db
      .selectFrom('jobs')
      .select('id')
      .where('state', '=', sql.lit('QUEUED'))
      .where(this.isDue())
      .orderBy('priority', 'desc')
      .orderBy('id')
      .limit(limit);
    return this.database.isShared ? query.forUpdate().skipLocked() : query;
  }

  /** By the database's clock, since those of replicas differ. A clock that was set back must not hold a job back. */
  private isDue(): RawBuilder<boolean> {
    const now = this.database.now();
    return sql<boolean>`(available_at <= ${now} or available_at > ${now} + ${sql.lit(MAX_WAIT_MS)})`;
  }

  /** How long until the next waiting job may be claimed, milliseconds; undefined when none waits. */
  async nextAvailableInMs(): Promise<number | undefined> {
    const row = await this.database.db
      .selectFrom('jobs')
      .select((eb) => sql<number | null>`${eb.fn.min('available_at')} - ${this.database.now()}`.as('ms'))
      .where('state', '=', sql.lit('QUEUED'))
      .executeTakeFirst();
    return row?.ms === null || row?.ms === undefined ? undefined : Math.max(0, Number(row.ms));
  }

  /**
   * Live jobs that nobody looks after: those whose lease has run out, and those of `predecessors`, a pattern of owners
   * that are certainly gone. SQLite has one process at a time, so there every other owner is.
   */
  async adoptable(owner: string, predecessors?: string): Promise<AdoptableJob[]> {
    const now = this.database.now();
    const rows = await this.database.db
      .selectFrom('jobs')
      .innerJoin('attempts', (join) =>
        join.onRef('attempts.job_id', '=', 'jobs.id').onRef('attempts.number', '=', 'jobs.attempt'),
      )
      .selectAll('jobs')
      .select(['attempts.scope', sql<number>`${now} - jobs.lease_until`.as('lapsed_ms')])
      .where(isLive())
      .where((eb) =>
        eb.or([
          eb('jobs.lease_until', '<', now),
          ...(this.database.isShared ? [] : [eb('jobs.owner', '!=', owner)]),
          ...(predecessors === undefined
            ? []
            : [eb.and([eb('jobs.owner', 'like', predecessors), eb('jobs.owner', '!=', owner)])]),
        ]),
      )
      .execute();
    return rows.map(({ scope, lapsed_ms, ...row }) => ({
      job: toJob(row),
      scope,
      lapsedMs: Number(lapsed_ms),
    }));
  }

  /** Takes over a live job as it is: same attempt, next epoch. Undefined when somebody else was faster. */
  async adopt(job: Job, owner: string, leaseMs: number): Promise<ClaimedJob | undefined> {
    const takeOver = this.database.db
      .updateTable('jobs')
      .set((eb) => ({
        epoch: eb('epoch', '+', 1),
        owner,
        lease_until: sql<number>`${this.database.now()} + ${sql.lit(leaseMs)}`,
      }))
      .where('id', '=', job.id)
      .where('attempt', '=', job.attempt)
      .where('epoch', '=', job.epoch)
      .where(isLive())
      .returningAll();
    // An essential write: on a full disk too somebody must wait for the job's end.
    const adopted = await this.database.essential(() => takeOver.executeTakeFirst());
    if (!adopted) return undefined;
    const db = this.database.db;
    const attempt = await db
      .selectFrom('attempts')
      .selectAll()
      .where('job_id', '=', job.id)
      .where('number', '=', job.attempt)
      .executeTakeFirstOrThrow();
    const spec = await db
      .selectFrom('job_specs')
      .selectAll()
      .where('job_id', '=', job.id)
      .executeTakeFirstOrThrow();
    // The update above set the lease by the database's clock, so its end tells what time that clock has.
    const nowMs = (adopted.lease_until ?? 0) - leaseMs;
    const deadlineInMs = adopted.deadline_at === null ? null : adopted.deadline_at - nowMs;
    return { ...toClaim(toJob(adopted), attempt, toJobSpec(spec), owner), deadlineInMs };
  }

  /**
   * Extends the lease of those of `ids` that are live and still of `owner`, in one statement; returns which. The
   * lease of a job that its owner does not name any more runs out, and another replica adopts the job.
   */
  async renewLeases(owner: string, ids: readonly string[], leaseMs: number): Promise<string[]> {
    const rows = await this.database.db
      .updateTable('jobs')
      .set({ lease_until: sql<number>`${this.database.now()} + ${sql.lit(leaseMs)}` })
      .where('owner', '=', owner)
      .where('id', 'in', ids)
      .where(isLive())
      .returning('id')
      .execute();
    return rows.map((row) => row.id);
  }

  /** Those of `ids` that another replica has taken over. */
  async takenFrom(owner: string, ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return [];
    const rows = await this.database.db
      .selectFrom('jobs')
      .select('id')
      .where('id', 'in', ids)
      .where('owner', '!=', owner)
      .execute();
    return rows.map((row) => row.id);
  }

  /** Jobs of `owner` whose cancel flag is up. */
  async cancelRequested(owner: string): Promise<string[]> {
    const rows = await this.database.db
      .selectFrom('jobs')
      .select('id')
      .where('owner', '=', owner)
      .where('cancel_requested', '=', 1)
      .where(isLive())
      .execute();
    return rows.map((row) => row.id);
  }
}
