import { Injectable } from '@nestjs/common';
import type { Selectable, Transaction, UpdateObject } from 'kysely';
import { sql } from 'kysely';
import { Database } from '../database/database.js';
import type { AttemptRow, JobRow, JobSpecsTable, Tables } from '../database/tables.js';
import type { OutputManifest } from '../workspace/output-collector.js';
import { StaleFenceError } from './job.errors.js';
import type { JobReason } from './job-reason.js';
import type { JobState, TerminalState } from './job-state.js';
import { LIVE_STATES, statesBefore } from './job-state.js';

/** Who may write: every write to a live job compares all of it, and a writer that fails the comparison stops. */
export interface Fence {
  jobId: string;
  attempt: number;
  epoch: number;
  owner: string;
}

/** A job that this replica has just taken, with all that is needed to start it. */
export interface ClaimedJob {
  fence: Fence;
  job: JobRow;
  attempt: AttemptRow;
  spec: Selectable<JobSpecsTable>;
}

export interface NewAttempt {
  runtime: string;
  scope: string;
  workload: string;
  workspace: string;
  startKind: 'COLD' | 'WARM';
  startWhy: string;
}

export interface JobResult {
  state: TerminalState;
  reason: JobReason;
  message: string;
  hint: string | null;
  exitCode: number | null;
  signal: string | null;
  startedAtMs: number | null;
  endedAtMs: number | null;
  finishedAtMs: number;
  wallMs: number | null;
  cpuMs: number | null;
  peakMemoryBytes: number | null;
  logDroppedBytes: number;
  outputs: OutputManifest;
}

/** The fenced writes of a job's life, and the claims that hand fences out. */
@Injectable()
export class AttemptRepository {
  constructor(private readonly database: Database) {}

  /**
   * Takes up to `limit` waiting jobs, highest priority then oldest first, in one commit: each becomes STARTING with its
   * next attempt, whose row (with the start intent and the workspace) is made by `plan`.
   */
  async claim(
    owner: string,
    limit: number,
    nowMs: number,
    leaseMs: number,
    plan: (jobId: string, attempt: number, job: JobRow) => NewAttempt,
  ): Promise<ClaimedJob[]> {
    return this.database.db.transaction().execute(async (tx) => {
      const ids = await this.lockQueued(tx, limit, nowMs);
      if (ids.length === 0) return [];
      const jobs = await tx
        .updateTable('jobs')
        .set((eb) => ({
          state: 'STARTING',
          attempt: eb('attempt', '+', 1),
          epoch: eb('epoch', '+', 1),
          owner,
          lease_until: sql<number>`${this.database.now()} + ${sql.lit(leaseMs)}`,
          claimed_at: nowMs,
          started_at: null,
          deadline_at: null,
        }))
        .where('id', 'in', ids)
        .where('state', '=', 'QUEUED')
        .returningAll()
        .execute();
      const attempts = jobs.map((job) => toAttemptRow(job, nowMs, plan(job.id, job.attempt, job)));
      await tx.insertInto('attempts').values(attempts).execute();
      const specs = await tx.selectFrom('job_specs').selectAll().where('job_id', 'in', ids).execute();
      return joinClaims(ids, jobs, attempts, specs, owner);
    });
  }

  private async lockQueued(tx: Transaction<Tables>, limit: number, nowMs: number): Promise<string[]> {
    let query = tx
      .selectFrom('jobs')
      .select('id')
      .where('state', '=', sql.lit('QUEUED'))
      .where('available_at', '<=', nowMs)
      .orderBy('priority', 'desc')
      .orderBy('id')
      .limit(limit);
    if (this.database.isShared) query = query.forUpdate().skipLocked();
    return (await query.execute()).map((row) => row.id);
  }

  /** When the next waiting job may be claimed, milliseconds; undefined when none waits. */
  async nextAvailableAtMs(): Promise<number | undefined> {
    const row = await this.database.db
      .selectFrom('jobs')
      .select((eb) => eb.fn.min('available_at').as('at'))
      .where('state', '=', sql.lit('QUEUED'))
      .executeTakeFirst();
    return row?.at === null || row?.at === undefined ? undefined : Number(row.at);
  }

  /**
   * Live jobs that nobody looks after: on SQLite, which one process has at a time, all that are not `mine`;
   * on PostgreSQL those whose lease has run out.
   */
  async adoptable(owner: string): Promise<JobRow[]> {
    let query = this.database.db.selectFrom('jobs').selectAll().where(isLive());
    query = this.database.isShared
      ? query.where((eb) => eb('lease_until', '<', this.database.now()))
      : query.where('owner', '!=', owner);
    return query.execute();
  }

  /** Takes over a live job as it is: same attempt, next epoch. Undefined when somebody else was faster. */
  async adopt(job: JobRow, owner: string, leaseMs: number): Promise<ClaimedJob | undefined> {
    const adopted = await this.database.db
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
      .returningAll()
      .executeTakeFirst();
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
    return joinClaims([job.id], [adopted], [attempt], [spec], owner)[0];
  }

  /** Extends the lease of every live job of `owner`, in one statement. */
  async renewLeases(owner: string, leaseMs: number): Promise<void> {
    await this.database.db
      .updateTable('jobs')
      .set({ lease_until: sql<number>`${this.database.now()} + ${sql.lit(leaseMs)}` })
      .where('owner', '=', owner)
      .where(isLive())
      .execute();
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

  /** Those of `workloads` that are the current attempt of a live job. */
  async liveWorkloads(workloads: readonly string[]): Promise<string[]> {
    if (workloads.length === 0) return [];
    const rows = await this.database.db
      .selectFrom('jobs')
      .innerJoin('attempts', (join) =>
        join.onRef('attempts.job_id', '=', 'jobs.id').onRef('attempts.number', '=', 'jobs.attempt'),
      )
      .select('attempts.workload')
      .where(isLive())
      .execute();
    return rows.map((row) => row.workload);
  }

  /** Those of `workspaces` that belong to a stored attempt. */
  async knownWorkspaces(workspaces: readonly string[]): Promise<string[]> {
    const known: string[] = [];
    // Both dialects bound the variables of one statement.
    for (let at = 0; at < workspaces.length; at += 500) {
      const rows = await this.database.db
        .selectFrom('attempts')
        .select('workspace')
        .where('workspace', 'in', workspaces.slice(at, at + 500))
        .execute();
      known.push(...rows.map((row) => row.workspace));
    }
    return known;
  }

  async saveHandle(fence: Fence, handle: string): Promise<void> {
    const result = await this.database.db
      .updateTable('attempts')
      .set({ handle })
      .where('job_id', '=', fence.jobId)
      .where('number', '=', fence.attempt)
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom('jobs')
            .select('id')
            .where('id', '=', fence.jobId)
            .where('attempt', '=', fence.attempt)
            .where('epoch', '=', fence.epoch)
            .where('owner', '=', fence.owner)
            .where(isLive()),
        ),
      )
      .executeTakeFirst();
    if (Number(result.numUpdatedRows) !== 1) throw new StaleFenceError(fence.jobId);
  }

  async markRunning(fence: Fence, startedAtMs: number, deadlineAtMs: number): Promise<void> {
    await this.database.db.transaction().execute(async (tx) => {
      await this.move(tx, fence, 'RUNNING', { started_at: startedAtMs, deadline_at: deadlineAtMs });
      await this.updateAttempt(tx, fence, { started_at: startedAtMs });
    });
  }

  /** The one final write of a job, with its outputs, in one commit. */
  async finish(fence: Fence, result: JobResult): Promise<void> {
    await this.database.db.transaction().execute(async (tx) => {
      await this.move(tx, fence, result.state, {
        reason: result.reason,
        message: result.message,
        hint: result.hint,
        exit_code: result.exitCode,
        signal: result.signal,
        ...(result.startedAtMs === null ? {} : { started_at: result.startedAtMs }),
        ended_at: result.endedAtMs,
        finished_at: result.finishedAtMs,
        wall_ms: result.wallMs,
        cpu_ms: result.cpuMs,
        peak_memory_bytes: result.peakMemoryBytes,
        log_dropped_bytes: result.logDroppedBytes,
        lease_until: null,
      });
      await this.closeAttempt(tx, fence, result);
    });
  }

  /** Ends this attempt and puts the job back into the queue for another one. */
  async requeue(fence: Fence, result: JobResult, availableAtMs: number): Promise<void> {
    await this.database.db.transaction().execute(async (tx) => {
      await this.move(tx, fence, 'QUEUED', {
        available_at: availableAtMs,
        owner: null,
        lease_until: null,
        message: result.message,
      });
      await this.closeAttempt(tx, fence, result);
    });
  }

  private async closeAttempt(tx: Transaction<Tables>, fence: Fence, result: JobResult): Promise<void> {
    await this.updateAttempt(tx, fence, {
      started_at: result.startedAtMs,
      ended_at: result.endedAtMs,
      reason: result.reason,
      message: result.message,
      skipped_outputs: JSON.stringify(result.outputs.skipped),
    });
    const rows = result.outputs.files.map((file) => ({
      job_id: fence.jobId,
      attempt: fence.attempt,
      path: file.path,
      size: file.size,
      sha256: file.sha256,
      content_type: file.contentType,
      modified_at: file.modifiedAtMs,
    }));
    // Both dialects bound the variables of one statement.
    for (let at = 0; at < rows.length; at += 500) {
      await tx
        .insertInto('output_files')
        .values(rows.slice(at, at + 500))
        .execute();
    }
  }

  private async updateAttempt(
    tx: Transaction<Tables>,
    fence: Fence,
    values: UpdateObject<Tables, 'attempts'>,
  ): Promise<void> {
    await tx
      .updateTable('attempts')
      .set(values)
      .where('job_id', '=', fence.jobId)
      .where('number', '=', fence.attempt)
      .execute();
  }

  /** The compare-and-set behind every step. */
  private async move(
    tx: Transaction<Tables>,
    fence: Fence,
    to: JobState,
    values: UpdateObject<Tables, 'jobs'>,
  ): Promise<void> {
    const result = await tx
      .updateTable('jobs')
      .set({ ...values, state: to })
      .where('id', '=', fence.jobId)
      .where('attempt', '=', fence.attempt)
      .where('epoch', '=', fence.epoch)
      .where('owner', '=', fence.owner)
      .where('state', 'in', statesBefore(to))
      .executeTakeFirst();
    if (Number(result.numUpdatedRows) !== 1) throw new StaleFenceError(fence.jobId);
  }
}

/** Literal, so that the partial index on live jobs can be used. */
function isLive() {
  return sql<boolean>`state in (${sql.join(LIVE_STATES.map((state) => sql.lit(state)))})`;
}

function toAttemptRow(job: JobRow, nowMs: number, plan: NewAttempt): AttemptRow {
  return {
    job_id: job.id,
    number: job.attempt,
    runtime: plan.runtime,
    scope: plan.scope,
    workload: plan.workload,
    workspace: plan.workspace,
    handle: null,
    start_intent_at: nowMs,
    start_kind: plan.startKind,
    start_why: plan.startWhy,
    started_at: null,
    ended_at: null,
    reason: null,
    message: null,
    skipped_outputs: null,
  };
}

function joinClaims(
  ids: readonly string[],
  jobs: JobRow[],
  attempts: AttemptRow[],
  specs: Selectable<JobSpecsTable>[],
  owner: string,
): ClaimedJob[] {
  return ids.flatMap((id) => {
    const job = jobs.find((row) => row.id === id);
    const attempt = attempts.find((row) => row.job_id === id);
    const spec = specs.find((row) => row.job_id === id);
    if (!job || !attempt || !spec) return [];
    return [{ fence: { jobId: id, attempt: job.attempt, epoch: job.epoch, owner }, job, attempt, spec }];
  });
}
