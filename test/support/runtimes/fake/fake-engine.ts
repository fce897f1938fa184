import { randomUUID } from 'node:crypto';
import { messageOf } from '../../../../src/common/app-error.js';
import type { HandleBase } from '../../../../src/runtime/handle.js';
import { decodeHandle, encodeHandle } from '../../../../src/runtime/handle.js';
import type { StartFailure, WorkloadSpec } from '../../../../src/runtime/runtime-provider.js';
import { RuntimeUnavailableError, WorkloadStartError } from '../../../../src/runtime/runtime.errors.js';
import type { FakeSpool } from './fake-workload.js';
import { FakeWorkload } from './fake-workload.js';

interface FakeHandle extends HandleBase {
  runtime: 'fake';
  id: string;
}

export interface FakeEngineOptions {
  scope?: string;
  startTimeoutSeconds?: number;
  /** Writes what a runner would write; without it the workspaces stay untouched. */
  spool?: FakeSpool;
  /** Milliseconds that a second of grace takes; small values make tests of stubborn workloads short. */
  secondMs?: number;
  /**
   * Removing a workload that runs, that nobody stopped and whose end nobody waited for, is allowed by the contract and
   * mostly a mistake of the caller, so it is refused unless this is set.
   */
  allowKillByRemove?: boolean;
}

/** A rule of the contract was broken by its caller. Thrown, and kept in `violations` should the caller swallow it. */
export class ProtocolViolation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtocolViolation';
  }
}

/**
 * What stays when a server dies: the workloads. Several `FakeRuntime`s may share one engine, as servers that follow each
 * other do. Tests hold it to script what happens.
 */
export class FakeEngine {
  readonly scope: string;
  readonly violations: ProtocolViolation[] = [];
  /** Other scopes that are known to have ended. */
  readonly goneScopes = new Set<string>();
  /** Names in the order of their starts; no name is in it twice unless the fake itself is wrong. */
  readonly starts: string[] = [];
  /** What every image reference stands for. */
  imageVersion = 'first';
  /** Called for each workload that starts; the place to say how it goes on. */
  onStart: (workload: FakeWorkload) => void = () => undefined;
  private readonly workloads = new Map<string, FakeWorkload>();
  private readonly issued = new Map<string, FakeWorkload>();
  private readonly failures: Error[] = [];
  private answersToLose = 0;
  private back?: { promise: Promise<void>; resolve: () => void };

  constructor(readonly options: FakeEngineOptions = {}) {
    this.scope = options.scope ?? `fake-${randomUUID()}`;
  }

  /** The workload of this name; throws when there is none. */
  workload(name: string): FakeWorkload {
    const found = this.workloads.get(name);
    if (!found)
      throw new Error(`there is no workload ${name}; there are: ${[...this.workloads.keys()].join()}`);
    return found;
  }

  all(): FakeWorkload[] {
    return [...this.workloads.values()];
  }

  /** The next start is refused. */
  failNextStart(failure: Partial<StartFailure> = {}): void {
    const full: StartFailure = { kind: 'failed', message: 'The fake refuses.', retryable: true, ...failure };
    this.failures.push(new WorkloadStartError(full));
  }

  /** The next start happens, but its caller is told that nothing is known. */
  loseNextAnswer(): void {
    this.answersToLose += 1;
  }

  /** The engine answers nothing until `comeBack`; what runs goes on. */
  goAway(): void {
    if (this.back) return;
    let resolve = (): void => undefined;
    const promise = new Promise<void>((done) => (resolve = done));
    this.back = { promise, resolve };
  }

  comeBack(): void {
    this.back?.resolve();
    this.back = undefined;
  }

  get isAway(): boolean {
    return this.back !== undefined;
  }

  /** Resolves while the engine answers, at once or when it comes back. */
  async untilBack(): Promise<void> {
    while (this.back) await this.back.promise;
  }

  /** Removes a workload as somebody else would: a waiter is told `removed`, later ones `lost`. */
  vanish(name: string): void {
    const workload = this.workload(name);
    this.workloads.delete(name);
    workload.settle({ kind: 'removed' });
  }

  /** Makes a workload and does not start it, as a server leaves it that dies in between. */
  make(spec: WorkloadSpec): FakeWorkload {
    const handle = encodeHandle<FakeHandle>({ v: 1, runtime: 'fake', scope: this.scope, id: randomUUID() });
    const workload = new FakeWorkload(spec, handle, Date.now(), this.options.spool);
    this.workloads.set(spec.name, workload);
    this.issued.set(handle, workload);
    return workload;
  }

  start(spec: WorkloadSpec): FakeWorkload {
    const found = this.workloads.get(spec.name);
    if (found && found.spec.workspace.id !== spec.workspace.id) {
      this.refuse(`${spec.name} is started with another workspace than the first time`);
    }
    if (!found && this.starts.includes(spec.name))
      this.refuse(`${spec.name} is started after it was removed`);
    const failure = this.failures.shift();
    if (failure) throw failure;
    const workload = found ?? this.make(spec);
    if (workload.state === 'created') this.run(workload);
    if (this.answersToLose > 0) {
      this.answersToLose -= 1;
      throw new RuntimeUnavailableError('The fake does not say whether it started.');
    }
    return workload;
  }

  remove(workload: FakeWorkload): void {
    const { spec, stops, isEndKnown, state } = workload;
    if (this.workloads.get(spec.name) !== workload) return;
    if (state === 'running' && stops.length === 0 && !isEndKnown && !this.options.allowKillByRemove) {
      this.refuse(`${spec.name} is removed while it runs, and nobody stopped it`);
    }
    this.vanish(spec.name);
  }

  /** Whether the workload of this handle is still there. */
  has(workload: FakeWorkload): boolean {
    return this.workloads.get(workload.spec.name) === workload;
  }

  /** The workload a handle was issued for, also when it has been removed since. */
  find(handle: string): FakeWorkload {
    if (decodeHandle<FakeHandle>(handle, 'fake')?.scope !== this.scope) {
      return this.refuse(`the handle ${handle} is not of this engine`);
    }
    return this.issued.get(handle) ?? this.refuse(`the handle ${handle} was never issued`);
  }

  refuse(message: string): never {
    const violation = new ProtocolViolation(message);
    this.violations.push(violation);
    throw violation;
  }

  private run(workload: FakeWorkload): void {
    try {
      workload.run();
    } catch (error) {
      // Its folders are not as they must be. Of a start that failed nothing stays.
      this.vanish(workload.spec.name);
      throw new WorkloadStartError({ kind: 'failed', message: messageOf(error), retryable: true }, error);
    }
    this.starts.push(workload.spec.name);
    this.onStart(workload);
  }
}
