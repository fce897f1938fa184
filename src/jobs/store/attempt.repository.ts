import { Injectable } from '@nestjs/common';
import type { RawBuilder, Transaction, UpdateObject } from 'kysely';
import { sql } from 'kysely';
import { Database } from '../../database/database.js';
import type { Tables } from '../../database/tables.js';
import type { OutputManifest } from '../../outputs/store/output-store.js';
import { StaleFenceError } from '../record/job.errors.js';
import type { Fence } from '../record/job.js';
import { isLive } from './is-live.js';
import type { JobReason } from '../record/job-reason.js';
import type { JobState, TerminalState } from '../record/job-state.js';
import { statesBefore } from '../record/job-state.js';

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
  /** Bytes that this attempt keeps on the disks: its outputs and its log. */
  storedBytes: number;
  outputs: OutputManifest;
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

  /**
   * The script has begun; its workload's handle is stored with its start. The deadline is kept by the database's clock:
   * the clock of a replica that adopts the job may differ.
   */
  async markRunning(fence: Fence, startedAtMs: number, deadlineInMs: number, handle: string): Promise<void> {
    await this.commit(async (tx) => {
      // From RUNNING too: this write is repeated when the answer of its commit was lost, or when the watch began again.
      const from: JobState[] = ['STARTING', 'RUNNING'];
      const deadline_at = sql<number>`${this.database.now()} + ${sql.lit(Math.round(deadlineInMs))}`;
      await this.move(tx, fence, 'RUNNING', { started_at: startedAtMs, deadline_at }, from);
      await this.updateAttempt(tx, fence, { started_at: startedAtMs, handle });
    });
  }

  /** The one final write of a job, with its outputs, in one commit. */
  async finish(fence: Fence, result: JobResult): Promise<void> {
    await this.commit((tx) => this.end(tx, fence, result));
  }

  private async end(tx: Transaction<Tables>, fence: Fence, result: JobResult): Promise<void> {
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
      stored_bytes: plus('stored_bytes', result.storedBytes),
      lease_until: null,
    });
    await this.closeAttempt(tx, fence, result);
  }

  /**
   * Ends this attempt and puts the job back into the queue for another one. A job that was cancelled meanwhile ends
   * instead: no retry may outrun a cancel that was answered.
   */
  async requeue(fence: Fence, result: JobResult, delayMs: number): Promise<void> {
    await this.commit(async (tx) => {
      const job = await tx
        .selectFrom('jobs')
        .select('cancel_requested')
        .where('id', '=', fence.jobId)
        .$if(this.database.isShared, (query) => query.forUpdate())
        .executeTakeFirst();
      if (job?.cancel_requested === 1) return this.end(tx, fence, cancelled(result));
      await this.move(tx, fence, 'QUEUED', {
        available_at: sql<number>`${this.database.now()} + ${sql.lit(Math.round(delayMs))}`,
        started_at: null,
        deadline_at: null,
        owner: null,
        lease_until: null,
        stored_bytes: plus('stored_bytes', result.storedBytes),
        message: result.message,
      });
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

  /** The compare-and-set behind every step. */
  private async move(
    tx: Transaction<Tables>,
    fence: Fence,
    to: JobState,
    values: UpdateObject<Tables, 'jobs'>,
    from: JobState[] = statesBefore(to),
  ): Promise<void> {
    const result = await tx
      .updateTable('jobs')
      .set({ ...values, state: to })
      .where('id', '=', fence.jobId)
      .where('attempt', '=', fence.attempt)
      .where('epoch', '=', fence.epoch)
      .where('owner', '=', fence.owner)
      .where('state', 'in', from)
      .executeTakeFirst();
    if (Number(result.numUpdatedRows) !== 1) throw new StaleFenceError(fence.jobId);
  }
}

function plus(column: string, bytes: number): RawBuilder<number> {
  return sql<number>`${sql.ref(column)} + ${bytes}`;
}

/** The end of a job that was cancelled while its attempt was being put back. */
function cancelled(result: JobResult): JobResult {
  return {
    ...result,
    state: 'CANCELLED',
    reason: 'CANCELLED_BY_USER',
    message: 'The job was cancelled.',
    hint: null,
  };
}
