import { randomUUID } from 'node:crypto';
import { abortable, settledWithin } from '../../../../src/common/async/abort.js';
import type { HandleBase } from '../../../../src/runtime/handle.js';
import { decodeHandle, encodeHandle } from '../../../../src/runtime/handle.js';
import type {
  RuntimeCapabilities,
  RuntimeHealth,
  RuntimeProvider,
  WorkloadExit,
  WorkloadSpec,
  WorkloadSummary,
} from '../../../../src/runtime/runtime-provider.js';
import { LOCAL_START_TIMEOUT_SECONDS } from '../../../../src/runtime/runtime-provider.js';
import { RuntimeUnavailableError } from '../../../../src/runtime/runtime.errors.js';
import type { SubprocessOptions } from './subprocess.js';
import { Subprocess } from './subprocess.js';

/** What the runner gets beyond the grace for killing what is left and writing its last frame. */
const STOP_MARGIN_MS = 3_000;
const LOST: WorkloadExit = { kind: 'lost', message: 'The workload is not there.' };

/** Children belong to the process that made them: no other server has this scope. */
const SCOPE = randomUUID();
/** The workloads of this process, by name; all of its providers have them in common. */
const workloads = new Map<string, Promise<Subprocess>>();

interface SubprocessHandle extends HandleBase {
  runtime: 'subprocess';
  name: string;
}

/** Runs the runner as a plain child of the server, without a sandbox. */
export class SubprocessRuntime implements RuntimeProvider {
  readonly name = 'subprocess';
  readonly scope = SCOPE;
  readonly startTimeoutSeconds = LOCAL_START_TIMEOUT_SECONDS;
  readonly capabilities: RuntimeCapabilities = {
    networkIsolation: false,
    filesystemIsolation: false,
    processIsolation: false,
    // Both are the runner's own, which it is told in its order.
    memoryLimit: 'perProcess',
    pidsLimit: 'perUser',
    cpuLimit: false,
    tmpLimit: false,
    outlivesServer: false,
    images: false,
  };
  private readonly closing = new AbortController();

  constructor(private readonly options: SubprocessOptions) {}

  /** The children of a server that died run on. */
  isGone(): boolean {
    return false;
  }

  async checkHealth(): Promise<RuntimeHealth> {
    return { healthy: true, message: 'Scripts run as plain processes of the server.' };
  }

  async start(spec: WorkloadSpec, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    let started = workloads.get(spec.name);
    if (!started) {
      started = Subprocess.start(spec, this.options);
      workloads.set(spec.name, started);
      started.catch(() => workloads.delete(spec.name));
    }
    await abortable(started, signal);
    return this.encode(spec.name);
  }

  async wait(handle: string, signal?: AbortSignal): Promise<WorkloadExit> {
    signal?.throwIfAborted();
    const workload = await this.find(handle);
    const signals = signal ? [signal, this.closing.signal] : [this.closing.signal];
    return workload ? abortable(workload.ended, AbortSignal.any(signals)) : LOST;
  }

  async stop(handle: string, graceSeconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const workload = await this.find(handle);
    if (!workload || workload.exit) return;
    workload.terminate();
    await abortable(settledWithin(workload.ended, graceSeconds * 1000 + STOP_MARGIN_MS), signal);
    await workload.kill();
  }

  async remove(handle: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const workload = await this.find(handle);
    if (!workload) return;
    await abortable(workload.remove(), signal);
    workloads.delete(workload.spec.name);
  }

  async list(): Promise<WorkloadSummary[]> {
    const started = await Promise.all(workloads.values());
    return started.map(({ spec, exit, createdAtMs }) => {
      const { name, jobId, attempt } = spec;
      return {
        handle: this.encode(name),
        name,
        jobId,
        attempt,
        state: exit ? 'ended' : 'running',
        createdAtMs,
      };
    });
  }

  async imageVersion(): Promise<string> {
    return 'none';
  }

  async close(): Promise<void> {
    this.closing.abort(new RuntimeUnavailableError('The subprocess runtime was closed.'));
  }

  private encode(name: string): string {
    return encodeHandle<SubprocessHandle>({ v: 1, runtime: 'subprocess', scope: SCOPE, name });
  }

  private find(text: string): Promise<Subprocess> | undefined {
    const handle = decodeHandle<SubprocessHandle>(text, 'subprocess');
    if (handle?.scope !== SCOPE) throw new Error('The handle is not of this server.');
    return workloads.get(handle.name);
  }
}
