import { RUNNER_EXIT_CODES } from '../../../../src/runner/exit-codes.js';
import type { WorkspacePaths } from '../../../../src/workspace/workspace-paths.js';
import type { WorkloadExit, WorkloadSpec } from '../../../../src/runtime/runtime-provider.js';

export type FakeState = 'created' | 'running' | 'ended';

/** What a runner would leave in its folders. Injected, because a runtime itself knows no log. */
export interface FakeSpool {
  started(paths: WorkspacePaths): void;
  output(paths: WorkspacePaths, stream: 'STDOUT' | 'STDERR', text: string): void;
  ended(paths: WorkspacePaths, exit: WorkloadExit): void;
  /** What a worker says when it waits for its order. */
  ready(paths: WorkspacePaths): void;
  /** The order as it is now; undefined while there is none. */
  order(paths: WorkspacePaths): FakeOrder | undefined;
}

/** What a worker finds: a job's order, or one that must not be carried out any more. */
export type FakeOrder = { jobId: string } | 'withdrawn';

/** How often a worker that waits looks for its order. */
const LOOK_MS = 5;

/** One workload of the fake. A test reads all of it and ends it with `end`. */
export class FakeWorkload {
  state: FakeState = 'created';
  exit?: WorkloadExit;
  /** Grace of every `stop`, in seconds, in the order of the calls. */
  readonly stops: number[] = [];
  /** False when it goes on after SIGTERM until it is killed. */
  obeysStop = true;
  /** False when the engine does not carry out what it was asked for. */
  obeysKill = true;
  /** Whether a `wait` has answered: its end is known to somebody. */
  isEndKnown = false;
  /** False for a worker that hangs: it does not take the order that it gets. */
  takesOrders = true;
  /** What a worker has taken. */
  order?: FakeOrder;
  private killAtMs = Infinity;
  private killTimer?: NodeJS.Timeout;
  private lookTimer?: NodeJS.Timeout;
  private readonly settled = new Set<() => void>();

  constructor(
    readonly spec: WorkloadSpec,
    readonly handle: string,
    readonly createdAtMs: number,
    private readonly spool: FakeSpool | undefined,
  ) {}

  /** A worker without a job. */
  private get isWaiting(): boolean {
    return this.spec.worker !== undefined && this.order === undefined;
  }

  /** How many wait for its end now. */
  get waiters(): number {
    return this.settled.size;
  }

  run(): void {
    this.state = 'running';
    if (!this.spec.worker) return this.spool?.started(this.spec.workspace);
    this.spool?.ready(this.spec.workspace);
    this.lookTimer = setInterval(() => this.lookForOrder(), LOOK_MS).unref();
  }

  /** Prints as its script would. */
  print(text: string, stream: 'STDOUT' | 'STDERR' = 'STDOUT'): void {
    this.spool?.output(this.spec.workspace, stream, text);
  }

  /** Ends it; what a runner writes last is written, unless the runner was killed, too. */
  end(exit: WorkloadExit = exited(0), hasLastWords = true): void {
    if (this.state !== 'running') throw new Error(`${this.spec.name} does not run, it cannot end`);
    if (hasLastWords) this.spool?.ended(this.spec.workspace, exit);
    this.settle(exit);
  }

  /** Its script ends, and its runner says so; the engine takes it down when `settle` is called. */
  endScript(exit: WorkloadExit = exited(0)): void {
    this.spool?.ended(this.spec.workspace, exit);
  }

  /** Takes it away, in whatever state: whoever waits is told `exit`. */
  settle(exit: WorkloadExit): void {
    clearTimeout(this.killTimer);
    clearInterval(this.lookTimer);
    this.state = 'ended';
    this.exit ??= exit;
    for (const wake of this.settled) wake();
    this.settled.clear();
  }

  /** SIGTERM now, SIGKILL after `graceMs` unless an earlier one was promised. */
  stop(graceSeconds: number, graceMs: number): void {
    this.stops.push(graceSeconds);
    if (this.state !== 'running' || !this.obeysKill) return;
    if (this.obeysStop) return this.end(exited(RUNNER_EXIT_CODES.stopped), !this.isWaiting);
    const killAtMs = performance.now() + graceMs;
    if (killAtMs >= this.killAtMs) return;
    this.killAtMs = killAtMs;
    clearTimeout(this.killTimer);
    this.killTimer = setTimeout(() => this.end(exited(137), false), graceMs);
  }

  private lookForOrder(): void {
    const order = this.takesOrders ? this.spool?.order(this.spec.workspace) : undefined;
    if (order === undefined) return;
    clearInterval(this.lookTimer);
    this.order = order;
    if (order === 'withdrawn') this.end(exited(RUNNER_EXIT_CODES.withdrawn), false);
    else this.spool?.started(this.spec.workspace);
  }

  /** Calls `wake` once it has ended. Returns what forgets it. */
  onEnd(wake: () => void): () => void {
    if (this.exit) wake();
    else this.settled.add(wake);
    return () => this.settled.delete(wake);
  }
}

export function exited(exitCode: number, oomKilled = false): WorkloadExit {
  return { kind: 'exited', exitCode, oomKilled };
}
