import { Inject, Injectable } from '@nestjs/common';
import { sleep } from '../common/abort.js';
import { messageOf } from '../common/app-error.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import { AttemptRepository } from '../jobs/attempt.repository.js';
import { RuntimeHealthMonitor } from '../runtime/runtime-health.js';
import type { RuntimeProvider, WorkloadSummary } from '../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../runtime/runtime-provider.js';
import { Workspaces } from '../workspace/workspaces.js';

const EVERY_MS = 60_000;
/** Younger things may belong to a job that is just being started. */
const GRACE_MS = 120_000;

/** Removes workloads and folders that belong to no live or stored job. Only while the runtime answers. */
@Injectable()
export class OrphanSweeper {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly attempts: AttemptRepository,
    private readonly workspaces: Workspaces,
    private readonly health: RuntimeHealthMonitor,
  ) {}

  /** Runs until `signal` aborts. Never rejects. */
  async sweepRegularly(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.health.isHealthy) await this.sweep(signal);
      } catch (error) {
        if (!signal.aborted) this.log.warn({ err: messageOf(error) }, 'sweeping failed; trying again later');
      }
      await sleep(EVERY_MS, signal);
    }
  }

  /** Returns how many workloads and workspaces were removed. */
  async sweep(signal: AbortSignal, graceMs = GRACE_MS): Promise<{ workloads: number; workspaces: number }> {
    const workloads = await this.sweepWorkloads(graceMs, signal);
    const workspaces = await this.sweepWorkspaces(graceMs);
    if (workloads + workspaces > 0)
      this.log.info({ workloads, workspaces }, 'removed what belonged to no job');
    return { workloads, workspaces };
  }

  private async sweepWorkloads(graceMs: number, signal: AbortSignal): Promise<number> {
    const old = (await this.runtime.list(signal)).filter(
      (workload) => workload.createdAtMs < Date.now() - graceMs,
    );
    const live = new Set(await this.attempts.liveWorkloads(old.map((workload) => workload.name)));
    const orphans = old.filter((workload: WorkloadSummary) => !live.has(workload.name));
    for (const orphan of orphans) await this.runtime.remove(orphan.handle, signal);
    return orphans.length;
  }

  private async sweepWorkspaces(graceMs: number): Promise<number> {
    const old = await this.workspaces.list(Date.now() - graceMs);
    const known = new Set(await this.attempts.knownWorkspaces(old));
    const orphans = old.filter((id) => !known.has(id));
    for (const id of orphans) await this.workspaces.remove(id);
    return orphans.length;
  }
}
