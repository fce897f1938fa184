import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import { signalWithin } from '../../common/async/abort.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { RuntimeProvider, WorkloadExit } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { ScriptEvidence } from './script-evidence.js';
import type { EndedFrame } from '../../runner/ended.js';
import { noteContradiction } from './note-contradiction.js';
import { WorkspaceOrders } from '../../workspace/workspace-orders.js';
import { WorkspaceUpkeep } from '../../workspace/workspace-upkeep.js';

const REMOVAL_MS = 30_000;
/** An engine takes a tenth of a second, one under load some seconds. */
const TEARDOWN_MS = 15_000;
const NOT_REMOVED = 'a settled workload could not be removed; the sweeper will';

/** Takes away what a settled attempt no longer needs. What fails here the sweeper does later. */
@Injectable()
export class AttemptCleaner {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly evidence: ScriptEvidence,
    private readonly orders: WorkspaceOrders,
    private readonly upkeep: WorkspaceUpkeep,
  ) {}

  /**
   * Makes certain that no server starts the attempt's script any more, before another attempt is made. The folders stay,
   * with the order withdrawn: a server that was only paused may still try to start the workload.
   */
  async retire(claim: ClaimedJob, handle: string | undefined, exit: WorkloadExit): Promise<void> {
    const { job, attempt } = claim;
    await this.orders.withdraw(attempt.workspace);
    // For a runner that has read its order already.
    const isPrevented = await this.evidence.preventStart(claim);
    if (handle === undefined) return;
    try {
      await this.runtime.remove(handle, AbortSignal.timeout(REMOVAL_MS));
    } catch (error) {
      // In every other case no script can begin there any more, and the sweeper removes what is left of it.
      if (exit.kind === 'neverStarted' && !isPrevented) throw error;
      this.log.warn({ jobId: job.id, err: messageOf(error) }, NOT_REMOVED);
    }
  }

  /**
   * Resolves when the teardown is through: until then the job has its slot. `told` is the end that was believed while the
   * engine still took the workload down; where its account differs, the log says so. `signal` cuts the wait for it short.
   * `isOwnStart`: no other server ever came to start it, so that a withdrawn order need not stay.
   */
  async clean(
    { job, attempt }: ClaimedJob,
    handle: string | undefined,
    told: EndedFrame | undefined,
    signal: AbortSignal,
    isOwnStart = false,
  ): Promise<void> {
    try {
      if (handle !== undefined && told) await this.awaitTeardown(job.id, handle, told, signal);
      if (handle !== undefined) await this.runtime.remove(handle, AbortSignal.timeout(REMOVAL_MS));
      if (isOwnStart) await this.upkeep.removeAllInputs(attempt.workspace);
      else await this.upkeep.removeInputs(attempt.workspace);
    } catch (error) {
      this.log.warn({ jobId: job.id, err: messageOf(error) }, NOT_REMOVED);
    }
  }

  private async awaitTeardown(
    jobId: string,
    handle: string,
    told: EndedFrame,
    signal: AbortSignal,
  ): Promise<void> {
    const patience = signalWithin(TEARDOWN_MS, signal);
    // What does not come to its end is removed as it is.
    const exit = await this.runtime.wait(handle, patience.signal).catch(() => undefined);
    patience.release();
    if (!exit)
      return this.log.warn({ jobId }, 'a workload whose script has ended is not torn down; removing it');
    noteContradiction(this.log, jobId, exit, told);
  }
}
