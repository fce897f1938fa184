import { Inject, Injectable } from '@nestjs/common';
import { sleep } from '../../common/async/abort.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { RuntimeHealthMonitor } from '../../runtime/runtime-health.js';
import { DataOwnership } from './data-ownership.js';
import { OrphanFiles } from './orphan-files.js';
import { OrphanWorkloads } from './orphan-workloads.js';

const EVERY_MS = 60_000;
/** To look at every stored folder takes seconds where there are a million. */
const ROUNDS_PER_FULL_SWEEP = 10;
/** Younger things may belong to a job that is just being started. */
const GRACE_MS = 120_000;

/** Removes workloads and files that belong to no live or stored job. Only while the runtime answers. */
@Injectable()
export class OrphanSweeper {
  /** Since this server started. */
  readonly removed = { workloadsRemoved: 0, workspacesRemoved: 0 };

  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly health: RuntimeHealthMonitor,
    private readonly ownership: DataOwnership,
    private readonly workloads: OrphanWorkloads,
    private readonly files: OrphanFiles,
  ) {}

  /** Runs until `signal` aborts. Never rejects. */
  async sweepRegularly(signal: AbortSignal): Promise<void> {
    for (let round = 0; !signal.aborted; round++) {
      try {
        if (this.health.isHealthy && (await this.ownership.isOurs()))
          await (round % ROUNDS_PER_FULL_SWEEP === 0 ? this.sweep(signal) : this.sweepLive(signal));
      } catch (error) {
        if (!signal.aborted) this.log.warn({ err: messageOf(error) }, 'sweeping failed; trying again later');
      }
      await sleep(EVERY_MS, signal);
    }
  }

  /** Returns how many workloads and workspaces were removed. */
  async sweep(signal: AbortSignal, graceMs = GRACE_MS): Promise<{ workloads: number; workspaces: number }> {
    const workloads = await this.sweepLive(signal, graceMs);
    const workspaces = await this.files.sweep(graceMs, signal);
    this.removed.workspacesRemoved += workspaces;
    if (workspaces > 0) this.log.info({ workspaces }, 'removed files that belonged to no job');
    return { workloads, workspaces };
  }

  /** The part of a sweep whose cost grows with the live jobs, not with the stored ones. */
  private async sweepLive(signal: AbortSignal, graceMs = GRACE_MS): Promise<number> {
    const workloads = await this.workloads.sweep(graceMs, signal);
    await this.files.sweepInputs(graceMs);
    this.removed.workloadsRemoved += workloads;
    if (workloads > 0) this.log.info({ workloads }, 'removed workloads that belonged to no job');
    return workloads;
  }
}
