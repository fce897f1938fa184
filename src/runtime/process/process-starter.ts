import { accessSync } from 'node:fs';
import { sleep } from '../../common/async/abort.js';
import { messageOf } from '../../common/app-error.js';
import { MiB } from '../../common/bytes.js';
import { KeyedSingleFlight } from '../../common/async/single-flight.js';
import { isRoot, runnerUser } from '../../workspace/runner-user.js';
import type { WorkloadSpec } from '../runtime-provider.js';
import { RuntimeUnavailableError, WorkloadStartError } from '../runtime.errors.js';
import type { SecretLookup } from '../secret-line.js';
import { secretLine } from '../secret-line.js';
import type { Cgroups } from './cgroups/cgroups.js';
import type { BundledRunner } from './bundled-runner.js';
import { launch } from './workload/launch.js';
import type { Machine } from './sandbox/machine.js';
import { closedFolder } from './sandbox/reachable.js';
import type { StateFiles } from './sandbox/state-files.js';
import { makeHome, workloadCommand } from './workload/workload-command.js';
import type { WorkloadFolders } from './workload/workload-folders.js';
import type { WorkloadRecord } from './workload/workload-record.js';
import { toRecord } from './workload/workload-record.js';
import type { WorkloadState } from './workload/workload-state.js';

/** The launch script, and bwrap's own process: they count as the workload's but are not the caller's to pay for. */
const SUPERVISING_PROCESSES = 2;
/** How long a supervisor of another server may take from making its start lock until it has written there who it is. */
const START_LOCK_MS = 1000;
const START_LOCK_LOOK_MS = 2;

/** What of this server a start needs. */
export interface StarterParts {
  readonly machine: Machine;
  readonly runner: BundledRunner;
  readonly files: StateFiles;
  readonly folders: WorkloadFolders;
  readonly cgroups: Cgroups;
  readonly record: Pick<WorkloadRecord, 'scope' | 'installationId' | 'isolation'>;
  readonly secrets: SecretLookup;
}

/** Starts workloads, each at most once, whoever else does the same. */
export class ProcessStarter {
  /** Starts under way, so that those of one server do not race each other for the start lock. */
  private readonly starting = new KeyedSingleFlight<WorkloadState>();

  constructor(private readonly parts: StarterParts) {}

  /** Resolves with the state of the workload as soon as its supervisor runs, or had run. */
  start(spec: WorkloadSpec): Promise<WorkloadState> {
    return this.starting.run(spec.name, () => this.startOnce(spec));
  }

  private async startOnce(spec: WorkloadSpec): Promise<WorkloadState> {
    const { folders, record } = this.parts;
    if (folders.read(spec.name)?.hasStartLock) return this.startedState(spec.name);
    await this.refuseUnfit(spec);
    const input = secretLine(spec.secrets, this.parts.secrets);
    try {
      folders.create(spec.name, toRecord(spec, record));
      await this.launch(spec, input);
    } catch (error) {
      if (error instanceof RuntimeUnavailableError) throw error;
      throw new RuntimeUnavailableError('This host cannot start a workload now.', error);
    }
    return this.startedState(spec.name);
  }

  private async launch(spec: WorkloadSpec, input: string | undefined): Promise<void> {
    const { machine, runner, files, folders, cgroups } = this.parts;
    const { memoryMb, cpus, pids } = spec.limits;
    const limits = { memoryBytes: memoryMb * MiB, cpus, pids: pids + SUPERVISING_PROCESSES };
    const cgroupFolders = cgroups.create(spec.name, limits);
    if (!machine.sandbox) await makeHome(spec.name);
    await launch({
      ...workloadCommand(machine, files.etcDir, spec, cgroups.oomCounter(spec.name)),
      folder: folders.path(spec.name),
      runnerPath: await runner.path(),
      filterPath: files.filterPath,
      cgroupFolders,
      input,
    });
  }

  /** The state with the supervisor in it: another server's may have made its start lock and not yet have written it. */
  private async startedState(name: string): Promise<WorkloadState> {
    const deadline = Date.now() + START_LOCK_MS;
    for (;;) {
      const state = this.parts.folders.read(name);
      if (!state?.hasStartLock)
        throw new RuntimeUnavailableError('The start of the workload was interrupted.');
      if (state.supervisor || Date.now() > deadline) return state;
      await sleep(START_LOCK_LOOK_MS);
    }
  }

  private async refuseUnfit({ workspace }: WorkloadSpec): Promise<void> {
    for (const folder of [workspace.jobDir, workspace.inputDir, workspace.outputDir, workspace.spoolDir]) {
      const message = await this.faultOf(folder);
      if (message) throw new WorkloadStartError({ kind: 'refused', message, retryable: false });
    }
  }

  /** A sentence when the workload could not use the folder. A sandbox of root's reaches every folder that is there. */
  private async faultOf(folder: string): Promise<string | undefined> {
    try {
      accessSync(folder);
      if (this.parts.machine.sandbox || !isRoot()) return undefined;
      const user = runnerUser();
      const closed = await closedFolder(folder, user);
      return (
        closed &&
        `The workload's user ${user.uid} may not pass through ${closed}; set DATA_DIR to another folder.`
      );
    } catch (error) {
      return `A folder of the workspace cannot be used: ${messageOf(error)}`;
    }
  }
}
