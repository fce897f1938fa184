import type { WorkerMode } from '../runner/variables.js';
import type { WorkspacePaths } from '../workspace/workspace-paths.js';

/**
 * The runtime contract: what runs an attempt. There are several implementations, one folder each, listed in
 * `runtimes.ts` by their definitions (`runtime-definition.ts`); all are held to this text by one conformance suite,
 * `test/contract/runtime/runtime-provider.contract.ts`.
 *
 * A runtime starts workloads, tells how they ended, stops and removes them, and lists what is there. That is all.
 * It knows no job, no database and no log: a workload finds its order and leaves its output in its workspace's folders
 * (docs/runner-contract.md), which the caller made and reads. Deadlines, retries and cancellation belong to the caller.
 *
 * ## Life of a workload
 *
 *     start ──► wait ──► remove          a workload that ends by itself
 *     start ──► wait ∥ stop ──► remove   one that is ended early: `wait` still answers, `stop` only hastens it
 *     list ──► wait | stop | remove      after a restart, with the handle that was stored or listed
 *
 * ## Rules for every member
 *
 * - Everything but `start` takes a handle and may be called by any process that reaches the same `scope`: nothing that
 *   matters is kept in this process's memory.
 * - Calls for different workloads run at the same time without limit; the caller bounds how many. For one workload,
 *   `wait` may run beside itself and beside `stop`.
 * - How a workload ended is a value (`WorkloadExit`), never an exception. A failing script is not an error.
 * - Errors are of two kinds only: `WorkloadStartError` (from `start`: this workload cannot be started, and why) and
 *   `RuntimeUnavailableError` (the engine does not answer; nothing is known; try again). They are told apart by the
 *   engine's status codes, never by its message text.
 * - `signal`, always last, ends the waiting and not the work: an aborted call rejects with the signal's reason, and what
 *   the engine was already told stays told.
 */
export interface RuntimeProvider {
  /** As its definition names it. */
  readonly name: string;

  /**
   * What this runtime can enforce, as found on this machine when it was made. Only `networkIsolation` may change afterwards,
   * where it is another's doing and has to be seen: read it when it is needed.
   */
  readonly capabilities: RuntimeCapabilities;

  /**
   * What a handle is valid in: the engine's id, host and boot, the cluster's uid. A handle from another scope must not
   * be used here, and a workload of another scope must not be called lost from here: such a handle, or a damaged one, is
   * refused with an error by every member.
   */
  readonly scope: string;

  /**
   * Whether another scope is certain to have ended with all that ran in it, such as an earlier boot of this host. False
   * when that cannot be known from here.
   */
  isGone(scope: string): boolean;

  /**
   * Seconds that a workload may take from its accepted start until its script runs: waiting for room, fetching the image,
   * mounting. Generous, since a loaded engine is slow and not broken; whoever watches gives the workload up afterwards.
   */
  readonly startTimeoutSeconds: number;

  /**
   * Whether the engine answers now. Called by health checks and before work is claimed, often and at the same time.
   * Never throws for an engine that is away: that is the answer.
   */
  checkHealth(signal?: AbortSignal): Promise<RuntimeHealth>;

  /**
   * Makes and starts the workload `spec.name`, or finds it: for one name there is at most one start, ever, however
   * often and from wherever this is called. A workload of this name that runs or has ended is left as it is and its
   * handle returned; one that was made but never started is started.
   *
   * The folders of `spec.workspace` exist, with their contents, before this is called. Resolves when the engine has
   * accepted the start, not when the script runs; a script that runs says so in its spool.
   *
   * @throws WorkloadStartError when this workload cannot start; nothing is left behind.
   * @throws RuntimeUnavailableError when it is unknown whether it started; calling again with the same spec is safe.
   */
  start(spec: WorkloadSpec, signal?: AbortSignal): Promise<string>;

  /**
   * Resolves once the workload has ended, also if that was long ago or under another server, with the same value for
   * every caller. Never resolves while a process of the workload may still write to its folders. A workload that is not
   * there is `lost`; one removed while this waits is `removed`. An engine that goes away is waited for:
   * this rejects only when `signal` aborts or the provider is closed.
   */
  wait(handle: string, signal?: AbortSignal): Promise<WorkloadExit>;

  /**
   * Asks the workload to end (SIGTERM to the runner, which passes it on to the script's whole tree) and kills it when it
   * has not ended after `graceSeconds` and a short margin for the runner's own last words. Resolves when it is dead or
   * was already; safe to repeat; a workload that is not there is a success. A repeated call with a shorter grace
   * shortens it.
   *
   * @throws RuntimeUnavailableError
   */
  stop(handle: string, graceSeconds: number, signal?: AbortSignal): Promise<void>;

  /**
   * Removes every trace of the workload that the engine keeps, killing it first if it still runs. Safe to repeat; a
   * workload that is not there is a success. The workspace's folders are the caller's and are not touched.
   *
   * @throws RuntimeUnavailableError
   */
  remove(handle: string, signal?: AbortSignal): Promise<void>;

  /**
   * Every workload of this installation in this scope, in any state, those of earlier servers included. Used to find
   * orphans and to match records after a restart.
   *
   * @throws RuntimeUnavailableError
   */
  list(signal?: AbortSignal): Promise<WorkloadSummary[]>;

  /**
   * What the image reference stands for now, as an opaque text: another one means that workers of the reference are
   * outdated. Undefined where that cannot be told without fetching, or where the image is not there. A runtime without
   * `images` answers with one text for all.
   *
   * @throws RuntimeUnavailableError
   */
  imageVersion(image: string, signal?: AbortSignal): Promise<string | undefined>;

  /**
   * Lets go of connections and watches; a `wait` that is pending rejects with `RuntimeUnavailableError`. Workloads that
   * run go on running.
   */
  close(): Promise<void>;
}

/** Injection token of the one `RuntimeProvider` that this server uses. */
export const RUNTIME_PROVIDER = Symbol('RUNTIME_PROVIDER');

/** `startTimeoutSeconds` of an engine on one machine, which has its images at hand. */
export const LOCAL_START_TIMEOUT_SECONDS = 120;

/**
 * The closed list of what may differ between runtimes. A conformance case names what it needs; a runtime without it
 * reports the case as a gap, and CI pins which gaps are expected.
 */
export interface RuntimeCapabilities {
  /** A job with network NONE reaches no address but its own loopback. */
  readonly networkIsolation: boolean;
  /** The script sees none of the server's files, and cannot write outside its folders. */
  readonly filesystemIsolation: boolean;
  /** The runner is PID 1 of a namespace of its own: the script can neither kill nor inspect it or anything outside. */
  readonly processIsolation: boolean;
  /** `cgroup`: the workload as a whole; `perProcess`: an address-space limit on each process; else nothing. */
  readonly memoryLimit: 'cgroup' | 'perProcess' | 'none';
  /** `cgroup`: the workload as a whole; `perUser`: shared by all workloads of the uid; else nothing. */
  readonly pidsLimit: 'cgroup' | 'perUser' | 'none';
  readonly cpuLimit: boolean;
  /** The size of `/tmp` is bounded. */
  readonly tmpLimit: boolean;
  /** Workloads go on when the server dies, and a later server of the same scope finds them. */
  readonly outlivesServer: boolean;
  /** Environments select images; without it every environment runs the same interpreter. */
  readonly images: boolean;
}

export interface RuntimeHealth {
  healthy: boolean;
  /** One sentence for people: the engine's version, or what is wrong and what mends it. */
  message: string;
}

export interface WorkloadSpec {
  /**
   * `runner-<job-id>` for the first attempt, `runner-<job-id>-<n>` for later ones, `runner-w-<id>` for a worker. A DNS
   * label.
   */
  readonly name: string;
  /** Whose attempt it is; null for a worker, which has no job when it starts. */
  readonly jobId: string | null;
  readonly attempt: number | null;
  /** Allow-listed image reference; ignored by a runtime without `images`. */
  readonly image: string;
  readonly workspace: WorkspacePaths;
  readonly limits: WorkloadLimits;
  readonly network: 'NONE' | 'INTERNET';
  /** Deadline and grace as the runner will enforce them: for engines that can enforce them a second time. */
  readonly timeoutSeconds: number;
  readonly graceSeconds: number;
  /**
   * Names of the secrets the script gets as environment variables. Only names: the runtime knows where the values are,
   * and hands them to the runner so that they rest on no disk of ours and show in no description of the workload.
   * A name without a value is a `WorkloadStartError` (or a `startFailed` exit) that is not retryable.
   */
  readonly secrets: readonly string[];
  /** Set for a worker: its workspace has no order yet, and it waits for one (docs/runner-contract.md, "Worker mode"). */
  readonly worker?: WorkerMode;
}

export interface WorkloadLimits {
  /** MiB; swap is never added to it. */
  readonly memoryMb: number;
  /** CPUs, fractions allowed. */
  readonly cpus: number;
  /** Processes and threads. */
  readonly pids: number;
  readonly tmpBytes: number;
}

/**
 * How a workload ended, as far as the engine knows. `exited` carries the runner's own code, which is the script's code
 * or 128 + signal; the spool's `ended` frame says which.
 */
export type WorkloadExit =
  | { kind: 'exited'; exitCode: number; oomKilled: boolean }
  /** Ended by a signal without a code of its own. */
  | { kind: 'signalled'; signal: number; oomKilled: boolean }
  /** The engine accepted the start and then could not do it. */
  | { kind: 'startFailed'; failure: StartFailure }
  /** Made and never started. Positive proof that no script ran. */
  | { kind: 'neverStarted' }
  /** Ended by the platform for its own reasons: node pressure, preemption. */
  | ({ kind: 'evicted' } & EngineText)
  /** The engine's own deadline ended it, which lies behind the runner's: the runner could not hold the job's. */
  | { kind: 'deadlineExceeded' }
  /** The machine it ran on does not answer any more; whether it still runs there cannot be known. */
  | ({ kind: 'nodeLost' } & EngineText)
  /** Removed by somebody else while it was waited for. */
  | { kind: 'removed' }
  /** Not there, or there without a trustworthy end. Never to be taken for a success. */
  | ({ kind: 'lost' } & EngineText);

/**
 * A sentence about what happened, with the engine's own words in it. It may have paths and names of machines and be of any
 * length: for the log it is taken as it is, a job's owner is told what `publicMessage` makes of it.
 */
export interface EngineText {
  message: string;
  /** Name of the machine that the workload was on, where the engine tells; `message` may have it. */
  machine?: string;
}

export interface StartFailure extends EngineText {
  kind: 'imageUnavailable' | 'unschedulable' | 'refused' | 'failed';
  /** What mends it, for example a command. */
  hint?: string;
  /** Whether trying again later may help. */
  retryable: boolean;
}

export interface WorkloadSummary {
  handle: string;
  name: string;
  /** As given in the spec; null for a worker, and when the workload's labels were tampered with. */
  jobId: string | null;
  attempt: number | null;
  state: 'created' | 'running' | 'ended';
  /** When the engine made it, milliseconds since 1970 UTC. */
  createdAtMs: number;
}
