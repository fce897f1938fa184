import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { abortable, signalWithin } from '../../common/async/abort.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import type {
  RuntimeCapabilities,
  RuntimeHealth,
  RuntimeProvider,
  WorkloadExit,
  WorkloadSpec,
  WorkloadSummary,
} from '../runtime-provider.js';
import { LOCAL_START_TIMEOUT_SECONDS } from '../runtime-provider.js';
import { RuntimeUnavailableError } from '../runtime.errors.js';
import { Cgroups } from './cgroups/cgroups.js';
import { BundledRunner } from './bundled-runner.js';
import { ExitWatch } from './workload/exit-watch.js';
import { hostScope, isEarlierBoot, scopeText } from './cgroups/host-scope.js';
import type { Machine } from './sandbox/machine.js';
import { examineMachine, isExecutable } from './sandbox/machine.js';
import type { ProcessHandle } from './workload/process-handle.js';
import { handleOf, isSameWorkload, readHandle } from './workload/process-handle.js';
import type { ProcessRuntimeOptions } from './process-options.js';
import { isAlive } from './workload/process-table.js';
import { writeStateFiles } from './sandbox/state-files.js';
import { sweep } from './sweep.js';
import { askToEnd, killAll } from './workload/terminate.js';
import { removeHome } from './workload/workload-command.js';
import { WorkloadFolders } from './workload/workload-folders.js';
import { WorkloadProcesses } from './workload/workload-processes.js';
import type { StarterParts } from './process-starter.js';
import { ProcessStarter } from './process-starter.js';
import type { WorkloadState } from './workload/workload-state.js';
import { toExit } from './workload/workload-state.js';

/** What the runner gets beyond the grace for killing what is left and writing its last frame. */
const STOP_MARGIN_MS = 3000;
/** For how long a workload that is made may still be about to be started by who made it. */
const START_WINDOW_MS = 1000;

/**
 * Makes the runtime that runs workloads as processes of this host, and clears away what servers of earlier boots left.
 *
 * @throws RuntimeUnavailableError when this machine cannot run them; its message says what mends it.
 */
export async function createProcessRuntime(
  options: ProcessRuntimeOptions,
  signal?: AbortSignal,
): Promise<RuntimeProvider> {
  const machine = await examineMachine(options, signal);
  if (typeof machine === 'string') throw new RuntimeUnavailableError(machine);
  const folders = new WorkloadFolders(join(options.dataDir, 'process'));
  await folders.prepare();
  const { installationId, isolation, log, secrets = new Map() } = options;
  const runner = new BundledRunner(folders.root, machine.interpreter);
  await runner.path(); // so that no job waits for it
  const runtime = new ProcessRuntime({
    machine,
    folders,
    files: await writeStateFiles(folders.root),
    runner,
    cgroups: await Cgroups.probe(installationId, signal),
    record: { scope: scopeText(hostScope()), installationId, isolation },
    secrets,
  });
  await runtime.sweep(log);
  return runtime;
}

class ProcessRuntime implements RuntimeProvider {
  readonly name = 'process';
  readonly startTimeoutSeconds = LOCAL_START_TIMEOUT_SECONDS;
  readonly scope: string;
  readonly capabilities: RuntimeCapabilities;
  private readonly machine: Machine;
  private readonly folders: WorkloadFolders;
  private readonly cgroups: Cgroups;
  private readonly processes: WorkloadProcesses;
  private readonly starter: ProcessStarter;
  private readonly watch: ExitWatch<WorkloadExit>;

  constructor(private readonly parts: StarterParts) {
    const { machine, folders, cgroups, record } = parts;
    this.scope = record.scope;
    this.machine = machine;
    this.folders = folders;
    this.cgroups = cgroups;
    this.processes = new WorkloadProcesses(cgroups, (name) => folders.path(name));
    this.starter = new ProcessStarter(parts);
    this.watch = new ExitWatch(folders.root);
    this.capabilities = capabilitiesOf(machine, cgroups);
  }

  isGone(scope: string): boolean {
    return isEarlierBoot(scope, hostScope());
  }

  async checkHealth(): Promise<RuntimeHealth> {
    const programs = [this.machine.interpreter.executable, this.machine.sandbox?.bwrap ?? '/bin/sh'];
    const missing = programs.find((path) => !isExecutable(path));
    if (missing) return { healthy: false, message: `${missing} is gone; install it again.` };
    try {
      await access(this.folders.root, constants.W_OK | constants.X_OK);
      return { healthy: true, message: `${this.machine.description}.` };
    } catch (error) {
      return { healthy: false, message: `The data folder cannot be used: ${messageOf(error)}` };
    }
  }

  async start(spec: WorkloadSpec, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    return handleOf(this.scope, await abortable(this.starter.start(spec), signal));
  }

  async wait(text: string, signal?: AbortSignal): Promise<WorkloadExit> {
    signal?.throwIfAborted();
    const handle = readHandle(this.scope, text);
    return this.watch.wait(handle.name, this.lookFor(handle), signal);
  }

  async stop(text: string, graceSeconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const handle = readHandle(this.scope, text);
    const read = (): WorkloadState | undefined => this.read(handle);
    if (!read()?.hasStartLock) return;
    const grace = signalWithin(graceSeconds * 1000 + STOP_MARGIN_MS, signal);
    try {
      await askToEnd(read, this.processes, grace.signal);
      await this.watch.wait(handle.name, this.lookFor(handle), grace.signal).catch(() => undefined);
    } finally {
      grace.release();
    }
    signal?.throwIfAborted();
    await abortable(killAll(read, this.processes, this.cgroups), signal);
  }

  async remove(text: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await abortable(this.removeWorkload(readHandle(this.scope, text)), signal);
  }

  async list(signal?: AbortSignal): Promise<WorkloadSummary[]> {
    signal?.throwIfAborted();
    const states = this.folders.names().map((name) => this.folders.read(name));
    return states.flatMap((state) => (state && this.isOurs(state) ? this.summaryOf(state) : []));
  }

  async imageVersion(): Promise<string> {
    return 'none';
  }

  async close(): Promise<void> {
    this.watch.close(new RuntimeUnavailableError('The process runtime was closed.'));
    this.cgroups.close();
  }

  /** Called once, before the runtime is handed out. */
  sweep(log: Log): Promise<void> {
    return sweep(this.folders, this.cgroups, (name) => this.finishRemoval(name), log);
  }

  /** Kills and deletes a workload whose folder was taken from under its name. Safe to repeat. */
  private async finishRemoval(name: string): Promise<void> {
    const isolation = this.folders.readRetired(name)?.record?.isolation;
    await killAll(() => this.folders.readRetired(name), this.processes, this.cgroups);
    await this.cgroups.remove(name);
    if (isolation !== 'bubblewrap') await removeHome(name);
    this.folders.discard(name);
    this.watch.notice(name);
  }

  private async removeWorkload(handle: ProcessHandle): Promise<void> {
    const { name } = handle;
    if (this.folders.readRetired(name)) await this.finishRemoval(name);
    const found = this.folders.read(name);
    if (found && !isSameWorkload(handle, found)) return;
    this.folders.retire(name);
    // Also when the folder is gone: somebody else may have left the rest.
    await this.finishRemoval(name);
  }

  /** The state of the handle's workload; undefined when it is not there any more. */
  private read(handle: ProcessHandle): WorkloadState | undefined {
    const state = this.folders.read(handle.name);
    return state && isSameWorkload(handle, state) ? state : undefined;
  }

  /** The end of the workload, once there is one and none of its processes lives. */
  private lookFor(handle: ProcessHandle): () => Promise<WorkloadExit | undefined> {
    let wasThere = false;
    return async () => {
      const state = this.read(handle);
      if (!state) return isAlive(handle) ? undefined : absent(wasThere);
      wasThere = true;
      const last = await this.lastState(state, () => this.read(handle));
      return last && toExit(last, this.cgroups.oomKills(last.name) > 0);
    };
  }

  /** The state to judge a workload's end by, or undefined while it has none. */
  private async lastState(
    state: WorkloadState,
    readAgain: () => WorkloadState | undefined,
  ): Promise<WorkloadState | undefined> {
    if (!state.hasStartLock) return isAbandoned(state) ? state : undefined;
    if (state.outcome) {
      // A runner that was killed could not kill what its script had started.
      if (this.processes.writers(state).length > 0) await killAll(readAgain, this.processes, this.cgroups);
      return state;
    }
    if (this.processes.isSupervised(state) || this.processes.all(state).length > 0) return undefined;
    // What they wrote last may be newer than what was read before they were seen to be gone.
    return readAgain();
  }

  private isOurs({ record }: WorkloadState): boolean {
    const { scope, installationId } = this.parts.record;
    return !record || (record.scope === scope && record.installationId === installationId);
  }

  private summaryOf(state: WorkloadState): WorkloadSummary {
    const { name, record } = state;
    return {
      handle: handleOf(this.scope, state),
      name,
      jobId: record?.jobId ?? null,
      attempt: record?.attempt ?? null,
      state: this.progressOf(state),
      createdAtMs: record?.createdAtMs ?? 0,
    };
  }

  private progressOf(state: WorkloadState): WorkloadSummary['state'] {
    if (!state.hasStartLock) return 'created';
    if (state.outcome) return 'ended';
    return this.processes.isSupervised(state) || this.processes.all(state).length > 0 ? 'running' : 'ended';
  }
}

function capabilitiesOf({ sandbox }: Machine, cgroups: Cgroups): RuntimeCapabilities {
  const isSandboxed = sandbox !== undefined;
  return {
    networkIsolation: isSandboxed,
    filesystemIsolation: isSandboxed,
    processIsolation: isSandboxed,
    memoryLimit: cgroups.has('memory') ? 'cgroup' : 'perProcess',
    pidsLimit: cgroups.has('pids') ? 'cgroup' : 'perUser',
    cpuLimit: cgroups.has('cpu'),
    tmpLimit: isSandboxed,
    // As PID 1 of a container, the server takes every process with it.
    outlivesServer: process.pid !== 1,
    images: false,
  };
}

/** Whether whoever made the workload would have started it by now. */
function isAbandoned({ record }: WorkloadState): boolean {
  return Date.now() - (record?.createdAtMs ?? 0) > START_WINDOW_MS;
}

function absent(wasThere: boolean): WorkloadExit {
  return wasThere ? { kind: 'removed' } : { kind: 'lost', message: 'The workload is not there.' };
}
