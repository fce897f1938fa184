import { Injectable } from '@nestjs/common';
import type { Transaction, UpdateObject } from 'kysely';
import { sql } from 'kysely';
import { Database } from '../../database/database.js';
import type { Tables } from '../../database/tables.js';
import type { OutputManifest } from '../../outputs/store/output-store.js';
import { StaleFenceError } from '../record/job.errors.js';
import type { Fence } from '../record/job.js';
import type { JobState, TerminalState } from '../record/job-state.js';
import { statesBefore } from '../record/job-state.js';
import { changeJobs } from './change-jobs.js';
import type { JobEnd } from './end-job.js';
import { endJob } from './end-job.js';
import { isLive } from './is-live.js';
import { ofFence } from './of-fence.js';

export interface JobResult extends JobEnd {
  outputs: OutputManifest;
}

/** An attempt that is over, and whose job waits for another one. */
export interface Requeue {
  result: JobResult;
  /** How long the job waits, milliseconds. */
  delayMs: number;
  /** The job's end, where it was cancelled meanwhile: no retry may outrun a cancel that was answered. */
  ifCancelled: JobResult;
}

/** The fenced writes of a job's life, and which workloads and workspaces its attempts own. */
@Injectable()
export class AttemptRepository {
  constructor(private readonly database: Database) {}

  /** What the current attempts of all live jobs use. */
  async liveAttempts(): Promise<{ workload: string; workspace: string }[]> {
    return this.database.db
      .selectFrom('jobs')
      .innerJoin('attempts', (join) =>
        join.onRef('attempts.job_id', '=', 'jobs.id').onRef('attempts.number', '=', 'jobs.attempt'),
      )
      .select(['attempts.workload', 'attempts.workspace'])
      .where(isLive())
      .execute();
  }

  /** Those of `workspaces`, at most 500, that belong to a stored attempt. */
  async knownWorkspaces(workspaces: readonly string[]): Promise<string[]> {
    const rows = await this.database.db
      .selectFrom('attempts')
      .select('workspace')
      .where('workspace', 'in', workspaces)
      .execute();
    return rows.map((row) => row.workspace);
  }

  async saveHandle(fence: Fence, handle: string): Promise<void> {
    await this.database.essential(() => this.writeHandle(fence, handle));
  }

  private async writeHandle(fence: Fence, handle: string): Promise<void> {
    const result = await this.database.db
      .updateTable('attempts')
      .set({ handle })
      .where('job_id', '=', fence.jobId)
      .where('number', '=', fence.attempt)
      .where((eb) => eb.exists(eb.selectFrom('jobs').select('id').where(ofFence(fence)).where(isLive())))
      .executeTakeFirst();
    if (Number(result.numUpdatedRows) !== 1) throw new StaleFenceError(fence.jobId);
  }

  /**
   * The script has begun; its workload's handle is stored with its start. The deadline is kept by the database's clock:
   * the clock of a replica that adopts the job may differ.
   */
  async markRunning(fence: Fence, startedAtMs: number, deadlineInMs: number, handle: string): Promise<void> {
    await this.commit(async (tx) => {
      const deadline_at = sql<number>`${this.database.now()} + ${sql.lit(Math.round(deadlineInMs))}`;
      const values = { started_at: startedAtMs, deadline_at };
      if (!(await this.move(tx, fence, 'RUNNING', values))) await this.renewStart(tx, fence, values);
      await this.updateAttempt(tx, fence, { started_at: startedAtMs, handle });
    });
  }

  /** The write is repeated when the answer of its commit was lost, or when the watch began again. The state stays. */
  private async renewStart(
    tx: Transaction<Tables>,
    fence: Fence,
    values: UpdateObject<Tables, 'jobs'>,
  ): Promise<void> {
    const result = await tx
      .updateTable('jobs')
      .set(values)
      .where(ofFence(fence))
      .where('state', '=', 'RUNNING')
      .executeTakeFirst();
    if (Number(result.numUpdatedRows) !== 1) throw new StaleFenceError(fence.jobId);
  }

  /** The one final write of a job, with its outputs, in one commit. */
  async finish(fence: Fence, result: JobResult): Promise<void> {
    await this.commit((tx) => this.end(tx, fence, result));
  }

  private async end(tx: Transaction<Tables>, fence: Fence, result: JobResult): Promise<void> {
    if (!(await endJob(this.database, tx, { live: fence }, result))) throw new StaleFenceError(fence.jobId);
    await this.closeAttempt(tx, fence, result);
  }

  /** Ends this attempt and puts the job back into the queue for another one, unless it was cancelled. */
  async requeue(fence: Fence, { result, delayMs, ifCancelled }: Requeue): Promise<void> {
    await this.commit(async (tx) => {
      const job = await tx
        .selectFrom('jobs')
        .select('cancel_requested')
        .where('id', '=', fence.jobId)
        .$if(this.database.isShared, (query) => query.forUpdate())
        .executeTakeFirst();
      if (job?.cancel_requested === 1) return this.end(tx, fence, ifCancelled);
      const isMoved = await this.move(tx, fence, 'QUEUED', {
        available_at: sql<number>`${this.database.now()} + ${sql.lit(Math.round(delayMs))}`,
        started_at: null,
        deadline_at: null,
        owner: null,
        lease_until: null,
        stored_bytes: sql<number>`stored_bytes + ${result.storedBytes}`,
        message: result.message,
      });
      if (!isMoved) throw new StaleFenceError(fence.jobId);
      await this.closeAttempt(tx, fence, result);
    });
  }

  /** These writes must get through: on a full disk they are given its reserve. */
  private async commit(write: (tx: Transaction<Tables>) => Promise<void>): Promise<void> {
    await this.database.essential(() => this.database.db.transaction().execute(write));
  }

  private async closeAttempt(tx: Transaction<Tables>, fence: Fence, result: JobResult): Promise<void> {
    await this.updateAttempt(tx, fence, {
      ...(result.startedAtMs === null ? {} : { started_at: result.startedAtMs }),
      ended_at: result.endedAtMs,
      reason: result.reason,
      message: result.message,
      // Nobody judges it any more.
      key: null,
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
    // Both dialects limit how many variables one statement may have.
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

  /** The compare-and-set behind every step but the last. False when the job is not (any more) where it may be made. */
  private async move(
    tx: Transaction<Tables>,
    fence: Fence,
    to: Exclude<JobState, TerminalState>,
    values: UpdateObject<Tables, 'jobs'>,
  ): Promise<boolean> {
    const changed = await changeJobs(this.database, tx, (db) =>
      db
        .updateTable('jobs')
        .set({ ...values, state: to })
        .where(ofFence(fence))
        .where('state', 'in', statesBefore(to)),
    );
    return changed.length === 1;
  }
}
