import type { Cgroups } from '../cgroups/cgroups.js';
import { WORKLOAD_VARIABLE } from './launch.js';
import { childrenOf, isAlive, isInPidNamespace, startedWith } from './process-table.js';
import type { WorkloadState } from './workload-state.js';

/** Which processes belong to a workload: found out anew each time, from what the kernel says. */
export class WorkloadProcesses {
  constructor(
    private readonly cgroups: Cgroups,
    private readonly folderOf: (name: string) => string,
  ) {}

  isSupervised(state: WorkloadState): boolean {
    return state.supervisor !== undefined && isAlive(state.supervisor);
  }

  /** The runner, once it is there: the sandbox's PID 1, or without a sandbox the supervisor's child. */
  runner(state: WorkloadState): number | undefined {
    if (state.record?.isolation !== 'none') return sandboxChild(state);
    return this.isSupervised(state) ? childrenOf(state.supervisor?.pid ?? 0)[0] : undefined;
  }

  /**
   * What may still write to the workload's folders. The end of a sandbox's PID 1 is the end of all in it, which the
   * kernel sees to. Without a sandbox they are told by cgroup and environment, so a process that has no cgroup and was
   * given another environment by the script escapes.
   */
  writers(state: WorkloadState): number[] {
    if (state.record?.isolation !== 'none') return [sandboxChild(state) ?? []].flat();
    const supervisor = this.isSupervised(state) ? state.supervisor?.pid : undefined;
    const children = supervisor ? childrenOf(supervisor) : [];
    const found = new Set([...children, ...this.cgroups.members(state.name), ...this.tagged(state)]);
    return [...found].filter((pid) => pid !== supervisor);
  }

  /** Everything, the supervisor and bwrap included. */
  all(state: WorkloadState): number[] {
    const supervisor = this.isSupervised(state) ? [state.supervisor?.pid ?? []].flat() : [];
    const found = [
      ...supervisor,
      ...this.writers(state),
      ...this.cgroups.members(state.name),
      ...(hasReportedEnd(state) ? [] : this.tagged(state)),
    ];
    return [...new Set(found)];
  }

  private tagged({ name, record }: WorkloadState): number[] {
    const given = [`${WORKLOAD_VARIABLE}=${this.folderOf(name)}`];
    if (record?.isolation === 'none') given.push(record.outputDir, `OUTPUT_DIR=${record.outputDir}`);
    return startedWith(given);
  }
}

/**
 * bwrap has seen the sandbox's PID 1 end, and with it everything in the sandbox: the whole process table, which takes
 * milliseconds to read, need not be searched for more.
 */
function hasReportedEnd({ record, sandbox }: WorkloadState): boolean {
  return record?.isolation === 'bubblewrap' && sandbox.exitCode !== undefined;
}

function sandboxChild({ sandbox }: WorkloadState): number | undefined {
  const { childPid, pidNamespace, exitCode } = sandbox;
  if (!childPid || !pidNamespace || exitCode !== undefined) return undefined;
  return isInPidNamespace(childPid, pidNamespace) ? childPid : undefined;
}
