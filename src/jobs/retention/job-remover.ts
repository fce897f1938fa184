import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import type { Principal } from '../../common/principal.js';
import type { OutputStore } from '../../outputs/store/output-store.js';
import { OUTPUT_STORE } from '../../outputs/store/output-store.js';
import { WorkspaceUpkeep } from '../../workspace/workspace-upkeep.js';
import type { DeletedJob } from '../store/deleted-job.js';
import { JobEvents } from '../record/job-events.js';
import { JobRepository } from '../store/job.repository.js';
import type { FinishedAt } from '../store/retention.repository.js';
import { RetentionRepository } from '../store/retention.repository.js';

/**
 * Deletes finished jobs, rows first: the sweeper finds files without a row, but a row without its files would promise
 * files that are gone.
 */
@Injectable()
export class JobRemover {
  constructor(
    private readonly jobs: JobRepository,
    private readonly retention: RetentionRepository,
    private readonly workspaces: WorkspaceUpkeep,
    @Inject(OUTPUT_STORE) private readonly outputs: OutputStore,
    private readonly events: JobEvents,
    @Inject(LOG) private readonly log: Log,
  ) {}

  /** Deletes a finished job. A live job stays as it is; one that is not there is a success. */
  async remove(principal: Principal, id: string): Promise<void> {
    const deleted = await this.jobs.deleteFinished(principal, id);
    if (deleted) await this.finish([deleted]);
  }

  /** Deletes some of the oldest jobs, up to and with `newest`; returns how many, 0 when there are no more. */
  async removeOldest(
    principal: Principal,
    newest: FinishedAt,
    held: () => readonly string[],
  ): Promise<number> {
    const deleted = await this.retention.deleteOldest(principal, newest, held);
    await this.finish(deleted);
    return deleted.length;
  }

  private async finish(deleted: readonly DeletedJob[]): Promise<void> {
    for (const { id } of deleted) this.events.publishLocal(id);
    await Promise.all(
      deleted.map(async ({ id, workspaces }) => {
        for (const workspace of workspaces) await this.removeFiles(id, workspace);
      }),
    );
  }

  /** Never rejects: the job is gone already, and the sweeper removes files that are left. */
  private async removeFiles(jobId: string, workspace: string): Promise<void> {
    try {
      await Promise.all([this.workspaces.remove(workspace), this.outputs.remove(workspace)]);
    } catch (error) {
      this.log.warn(
        { jobId, workspace, err: messageOf(error) },
        'the files of a deleted job could not be removed; the sweeper will',
      );
    }
  }
}
