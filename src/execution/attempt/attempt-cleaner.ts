import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { RuntimeProvider, WorkloadExit } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { WorkspaceOrders } from '../../workspace/workspace-orders.js';
import { WorkspaceUpkeep } from '../../workspace/workspace-upkeep.js';

const REMOVAL_MS = 30_000;
const NOT_REMOVED = 'a settled workload could not be removed; the sweeper will';

/** Takes away what a settled attempt no longer needs. What fails here the sweeper does later. */
@Injectable()
export class AttemptCleaner {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly orders: WorkspaceOrders,
    private readonly upkeep: WorkspaceUpkeep,
  ) {}

  /**
   * Makes certain that no server starts the attempt's script any more, before another attempt is made. The folders stay,
   * with the order withdrawn: a server that was only paused may still try to start the workload.
   */
  async retire({ job, attempt }: ClaimedJob, handle: string | undefined, exit: WorkloadExit): Promise<void> {
    await this.orders.withdraw(attempt.workspace);
    if (handle === undefined) return;
    try {
      await this.runtime.remove(handle, AbortSignal.timeout(REMOVAL_MS));
    } catch (error) {
      // In every other case the workload has ended, and the sweeper removes what is left of it.
      if (exit.kind === 'neverStarted') throw error;
      this.log.warn({ jobId: job.id, err: messageOf(error) }, NOT_REMOVED);
    }
  }

  async clean({ job, attempt }: ClaimedJob, handle: string | undefined): Promise<void> {
    try {
      if (handle !== undefined) await this.runtime.remove(handle, AbortSignal.timeout(REMOVAL_MS));
      await this.upkeep.removeInputs(attempt.workspace);
    } catch (error) {
      this.log.warn({ jobId: job.id, err: messageOf(error) }, NOT_REMOVED);
    }
  }
}
