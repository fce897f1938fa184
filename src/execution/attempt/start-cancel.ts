import { Injectable } from '@nestjs/common';
import type { ClaimedJob } from '../../jobs/record/job.js';
import { WorkspaceOrders } from '../../workspace/workspace-orders.js';
import { CancelWatch } from './cancel-watch.js';
import { ScriptEvidence } from './script-evidence.js';

/** A cancel that came before the watch is found so late. Most starts are over by then, and cost no look. */
const FIRST_LOOK_MS = 1_000;

/** Hears a cancel while a workload is being started, which lasts as long as its engine is slow or away. */
@Injectable()
export class StartCancel {
  constructor(
    private readonly cancels: CancelWatch,
    private readonly evidence: ScriptEvidence,
    private readonly orders: WorkspaceOrders,
  ) {}

  /** `prevented` resolves when the job was cancelled and its script will never begin. `stop` ends the watch. */
  watch(claim: ClaimedJob): { prevented: Promise<void>; stop: () => void } {
    let prevent: () => void = () => undefined;
    const prevented = new Promise<void>((resolve) => (prevent = resolve));
    const onCancel = async (): Promise<void> => {
      await this.orders.withdraw(claim.attempt.workspace);
      if (await this.evidence.isStartPrevented(claim)) prevent();
    };
    // On a disk that fails now, the cancel is heard when the start is over.
    const heard = (): void => void onCancel().catch(() => undefined);
    return { prevented, stop: this.cancels.watch(claim.job.id, heard, FIRST_LOOK_MS) };
  }
}
