import { lstat, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { removeTree } from './remove-tree.js';
import { workspaceIdsIn } from './workspace-ids.js';
import { SCRIPT_FILE } from '../runner/files.js';
import { WorkspaceLayout } from './workspace-layout.js';
import { isFreshlyWithdrawn } from './workspace-orders.js';
import { WORKSPACE_ROOTS } from './workspace-paths.js';

/** Finds and removes what attempts leave in their folders, but for the outputs, which are the `OutputStore`'s. */
@Injectable()
export class WorkspaceUpkeep {
  constructor(private readonly layout: WorkspaceLayout) {}

  /**
   * Removes the inputs, which nobody needs once the attempt has ended; the log stays. Of an attempt whose order was
   * withdrawn that withdrawal stays for a day.
   */
  async removeInputs(id: string): Promise<void> {
    const { inputDir, jobDir } = this.layout.paths(id);
    if (!(await isFreshlyWithdrawn(jobDir))) return this.removeAllInputs(id);
    await Promise.all([removeTree(inputDir), rm(join(jobDir, SCRIPT_FILE), { force: true })]);
  }

  /** Removes the inputs with a withdrawal too: whoever might have come to start the attempt has come. */
  removeAllInputs(id: string): Promise<void> {
    return removeTree(dirname(this.layout.paths(id).inputDir));
  }

  /** Removes the inputs, whatever became of their order, and the log: the job is gone. */
  async remove(id: string): Promise<void> {
    await Promise.all([this.removeAllInputs(id), removeTree(this.layout.paths(id).spoolDir)]);
  }

  /** The ids of all workspaces that have inputs, last changed before what `beforeMs` says for each. */
  async listInputs(beforeMs: (id: string) => number): Promise<string[]> {
    const ids: string[] = [];
    for await (const batch of workspaceIdsIn(this.layout.root('inputs'))) ids.push(...batch);
    return this.untouchedSince(beforeMs, ids);
  }

  /** The ids of all workspaces that have inputs or a log, some at a time, each up to twice. */
  async *list(): AsyncGenerator<string[], void, undefined> {
    for (const name of ['inputs', 'logs'] as const) yield* workspaceIdsIn(this.layout.root(name));
  }

  /** Those of `ids` none of whose folders was changed since what `beforeMs` says for each. */
  async untouchedSince(beforeMs: (id: string) => number, ids: readonly string[]): Promise<string[]> {
    const untouched: string[] = [];
    for (const id of ids) {
      const stats = await Promise.all(
        WORKSPACE_ROOTS.map((name) => lstat(join(this.layout.root(name), id)).catch(() => undefined)),
      );
      if (stats.every((each) => each === undefined || each.mtimeMs < beforeMs(id))) untouched.push(id);
    }
    return untouched;
  }
}
