import { Inject, Injectable } from '@nestjs/common';
import { sleep } from '../../common/abort.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { AttemptRepository } from '../../jobs/store/attempt.repository.js';
import type { OutputStore } from '../../outputs/store/output-store.js';
import { OUTPUT_STORE } from '../../outputs/store/output-store.js';
import { RuntimeHealthMonitor } from '../../runtime/runtime-health.js';
import type { RuntimeProvider, WorkloadSummary } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { DataOwnership } from './data-ownership.js';
import { Workspaces } from '../../workspace/workspaces.js';
import { WorkerStrays } from './worker-strays.js';

const EVERY_MS = 60_000;
/** To look at every stored folder takes seconds where there are a million. */
const ROUNDS_PER_FULL_SWEEP = 10;
/** Younger things may belong to a job that is just being started. */
const GRACE_MS = 120_000;

/** Removes workloads and folders that belong to no live or stored job. Only while the runtime answers. */
@Injectable()
export class OrphanSweeper {
  /** Since this server started. */
  readonly removed = { workloadsRemoved: 0, workspacesRemoved: 0 };

  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly attempts: AttemptRepository,
    private readonly workspaces: Workspaces,
    @Inject(OUTPUT_STORE) private readonly outputs: OutputStore,
    private readonly health: RuntimeHealthMonitor,
    private readonly ownership: DataOwnership,
    private readonly strays: WorkerStrays,
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
    const workspaces = await this.sweepWorkspaces(graceMs, signal);
    this.removed.workspacesRemoved += workspaces;
    if (workspaces > 0) this.log.info({ workspaces }, 'removed folders that belonged to no job');
    return { workloads, workspaces };
  }

  /** What costs as much as there are live jobs, not as many as are stored. */
  private async sweepLive(signal: AbortSignal, graceMs = GRACE_MS): Promise<number> {
    const workloads = await this.sweepWorkloads(graceMs, signal);
    await this.sweepInputs(graceMs);
    this.removed.workloadsRemoved += workloads;
    if (workloads > 0) this.log.info({ workloads }, 'removed workloads that belonged to no job');
    return workloads;
  }

  private async sweepWorkloads(graceMs: number, signal: AbortSignal): Promise<number> {
    const isOld = ({ createdAtMs }: WorkloadSummary): boolean => createdAtMs < Date.now() - graceMs;
    const listed = await this.runtime.list(signal);
    // Before the jobs are read: a worker that is not held any more has been committed to its job by then.
    const old = listed.filter((each) => this.strays.verdictOnWorkload(each, graceMs) ?? isOld(each));
    const live = new Set((await this.attempts.liveAttempts()).map(({ workload }) => workload));
    const orphans = old.filter((workload) => !live.has(workload.name));
    return this.removeEach(orphans, (orphan) => this.runtime.remove(orphan.handle, signal));
  }

  private async sweepWorkspaces(graceMs: number, signal: AbortSignal): Promise<number> {
    let removed = 0;
    for (const batches of [this.workspaces.batches(), this.outputs.list()]) {
      for await (const ids of batches) {
        removed += await this.removeUnknown(ids, graceMs);
        if (signal.aborted) return removed;
      }
    }
    return removed;
  }

  private async removeUnknown(ids: readonly string[], graceMs: number): Promise<number> {
    const free = ids.filter((id) => !this.strays.holds(id));
    const known = new Set(await this.attempts.knownWorkspaces(free));
    const unknown = free.filter((id) => !known.has(id));
    const orphans = await this.workspaces.untouchedSince(this.sinceMs(graceMs), unknown);
    return this.removeEach(orphans, async (id) => {
      await Promise.all([this.workspaces.remove(id), this.outputs.remove(id)]);
    });
  }

  /** A server that dies between a job's last write and the cleaning leaves its script and files. */
  private async sweepInputs(graceMs: number): Promise<void> {
    const listed = await this.workspaces.listInputs(this.sinceMs(graceMs));
    const old = listed.filter((id) => !this.strays.holds(id));
    const live = new Set((await this.attempts.liveAttempts()).map(({ workspace }) => workspace));
    await this.removeEach(
      old.filter((id) => !live.has(id)),
      (id) => this.workspaces.removeInputs(id),
    );
  }

  /** From when on a workspace may still be needed, milliseconds since 1970. */
  private sinceMs(graceMs: number): (id: string) => number {
    const nowMs = Date.now();
    return (id) => nowMs - this.strays.graceMs(id, graceMs);
  }

  /** One that cannot be removed must not keep the others. Returns how many were. */
  private async removeEach<T>(orphans: T[], remove: (orphan: T) => Promise<void>): Promise<number> {
    let removed = 0;
    for (const orphan of orphans) {
      try {
        await remove(orphan);
        removed += 1;
      } catch (error) {
        this.log.warn({ err: messageOf(error) }, 'an orphan could not be removed; trying again later');
      }
    }
    return removed;
  }
}
