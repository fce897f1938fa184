import { Inject, Injectable } from '@nestjs/common';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { AttemptRepository } from '../../jobs/store/attempt.repository.js';
import type { OutputStore } from '../../outputs/store/output-store.js';
import { OUTPUT_STORE } from '../../outputs/store/output-store.js';
import { WorkspaceUpkeep } from '../../workspace/workspace-upkeep.js';
import { removeEach } from './remove-each.js';
import { WorkerStrays } from './worker-strays.js';

/** Inputs, logs and outputs that belong to no stored job, and inputs of ended attempts. */
@Injectable()
export class OrphanFiles {
  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly attempts: AttemptRepository,
    private readonly workspaces: WorkspaceUpkeep,
    @Inject(OUTPUT_STORE) private readonly outputs: OutputStore,
    private readonly strays: WorkerStrays,
  ) {}

  /** Returns from how many workspaces something was removed. */
  async sweep(graceMs: number, signal: AbortSignal): Promise<number> {
    let removed = 0;
    for (const batches of [this.workspaces.list(), this.outputs.list()]) {
      for await (const ids of batches) {
        removed += await this.removeUnknown(ids, graceMs);
        if (signal.aborted) return removed;
      }
    }
    return removed;
  }

  /** Removes scripts and files left by servers that died between a job's last write and the cleaning. */
  async sweepInputs(graceMs: number): Promise<void> {
    const listed = await this.workspaces.listInputs(this.sinceMs(graceMs));
    const old = listed.filter((id) => !this.strays.holds(id));
    const live = new Set((await this.attempts.liveAttempts()).map(({ workspace }) => workspace));
    await removeEach(
      old.filter((id) => !live.has(id)),
      (id) => this.workspaces.removeInputs(id),
      this.log,
    );
  }

  private async removeUnknown(ids: readonly string[], graceMs: number): Promise<number> {
    const free = ids.filter((id) => !this.strays.holds(id));
    const known = new Set(await this.attempts.knownWorkspaces(free));
    const unknown = free.filter((id) => !known.has(id));
    const orphans = await this.workspaces.untouchedSince(this.sinceMs(graceMs), unknown);
    const remove = async (id: string): Promise<void> => {
      await Promise.all([this.workspaces.remove(id), this.outputs.remove(id)]);
    };
    return removeEach(orphans, remove, this.log);
  }

  /** From when on a workspace may still be needed, milliseconds since 1970. */
  private sinceMs(graceMs: number): (id: string) => number {
    const nowMs = Date.now();
    return (id) => nowMs - this.strays.graceMs(id, graceMs);
  }
}
