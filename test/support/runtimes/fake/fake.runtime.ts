import { abortable } from '../../../../src/common/async/abort.js';
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
import { FakeEngine } from './fake-engine.js';
import type { FakeWorkload } from './fake-workload.js';

const NOTHING: RuntimeCapabilities = {
  networkIsolation: false,
  filesystemIsolation: false,
  processIsolation: false,
  memoryLimit: 'none',
  pidsLimit: 'none',
  cpuLimit: false,
  tmpLimit: false,
  outlivesServer: true,
  images: false,
};

/**
 * A runtime that runs nothing: its engine's workloads start, end and fail as a test says. It keeps the contract, and
 * throws `ProtocolViolation` when its caller does not.
 */
export class FakeRuntime implements RuntimeProvider {
  readonly name = 'fake';
  readonly startTimeoutSeconds: number;
  readonly capabilities: RuntimeCapabilities;
  private readonly closing = new AbortController();

  constructor(
    readonly engine: FakeEngine = new FakeEngine(),
    capabilities: Partial<RuntimeCapabilities> = {},
  ) {
    this.capabilities = { ...NOTHING, ...capabilities };
    this.startTimeoutSeconds = engine.options.startTimeoutSeconds ?? LOCAL_START_TIMEOUT_SECONDS;
  }

  get scope(): string {
    return this.engine.scope;
  }

  isGone(scope: string): boolean {
    return this.engine.goneScopes.has(scope);
  }

  async checkHealth(): Promise<RuntimeHealth> {
    return this.engine.isAway
      ? { healthy: false, message: 'The fake engine is away.' }
      : { healthy: true, message: 'The fake engine answers.' };
  }

  async start(spec: WorkloadSpec, signal?: AbortSignal): Promise<string> {
    this.enter(signal);
    return this.engine.start(spec).handle;
  }

  async wait(handle: string, signal?: AbortSignal): Promise<WorkloadExit> {
    signal?.throwIfAborted();
    this.refuseClosed();
    const workload = this.engine.find(handle);
    await this.interruptible(this.engine.untilBack(), signal);
    if (!this.engine.has(workload)) return { kind: 'lost', message: 'The workload is not there any more.' };
    if (workload.state === 'created') return { kind: 'neverStarted' };
    await this.untilEnd(workload, signal);
    await this.interruptible(this.engine.untilBack(), signal);
    workload.isEndKnown = true;
    return workload.exit!;
  }

  async stop(handle: string, graceSeconds: number, signal?: AbortSignal): Promise<void> {
    this.enter(signal);
    const workload = this.engine.find(handle);
    if (!(graceSeconds >= 0)) this.engine.refuse(`a grace of ${graceSeconds} seconds`);
    workload.stop(graceSeconds, graceSeconds * (this.engine.options.secondMs ?? 1000));
    if (workload.state === 'running') await this.untilEnd(workload, signal);
  }

  async remove(handle: string, signal?: AbortSignal): Promise<void> {
    this.enter(signal);
    this.engine.remove(this.engine.find(handle));
  }

  async list(signal?: AbortSignal): Promise<WorkloadSummary[]> {
    this.enter(signal);
    return this.engine.all().map(({ handle, spec, state, createdAtMs }) => {
      const { name, jobId, attempt } = spec;
      return { handle, name, jobId, attempt, state, createdAtMs };
    });
  }

  async imageVersion(): Promise<string> {
    this.enter();
    return this.engine.imageVersion;
  }

  async close(): Promise<void> {
    this.closing.abort(new RuntimeUnavailableError('The fake runtime was closed.'));
  }

  private enter(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    this.refuseClosed();
    if (this.engine.isAway) throw new RuntimeUnavailableError('The fake engine is away.');
  }

  private refuseClosed(): void {
    if (this.closing.signal.aborted) this.engine.refuse('a closed runtime is used');
  }

  private async untilEnd(workload: FakeWorkload, signal?: AbortSignal): Promise<void> {
    let forget = (): unknown => undefined;
    const end = new Promise<void>((resolve) => (forget = workload.onEnd(resolve)));
    try {
      await this.interruptible(end, signal);
    } finally {
      forget();
    }
  }

  private interruptible<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const signals = signal ? [this.closing.signal, signal] : [this.closing.signal];
    return abortable(promise, AbortSignal.any(signals));
  }
}
