import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../../src/common/app-error.js';
import { MiB } from '../../../src/common/bytes.js';
import { newId } from '../../../src/common/ids.js';
import { StorageConfig } from '../../../src/config/parts/storage-config.js';
import { ADDRESS_SPACE_SLACK_BYTES } from '../../../src/execution/attempt/job-order.js';
import type {
  RuntimeProvider,
  WorkloadExit,
  WorkloadLimits,
  WorkloadSpec,
} from '../../../src/runtime/runtime-provider.js';
import { isUnfit } from '../../../src/runner/unfit-variables.js';
import { isRoot, runnerUser } from '../../../src/workspace/runner-user.js';
import { newWorkerId, workerWorkload } from '../../../src/runtime/pool/warm-worker.js';
import { workloadName } from '../../../src/runtime/workload-name.js';
import { newKey } from '../../../src/runner/key.js';
import type { JobOrder } from '../../../src/runner/order.js';
import type { FrameKey } from '../../../src/runner/signature.js';
import type { InputFile } from '../../../src/workspace/workspace-content.js';
import { workspaceIdsIn } from '../../../src/workspace/workspace-ids.js';
import { WorkspaceLayout } from '../../../src/workspace/workspace-layout.js';
import { WorkspaceMaker } from '../../../src/workspace/workspace-maker.js';
import { WORKSPACE_ROOTS } from '../../../src/workspace/workspace-paths.js';
import { WorkspaceSpools } from '../../../src/workspace/workspace-spools.js';
import { makeDataFolder } from '../service/data-folder.js';
import { SpoolContent } from './runtime-spool.js';
import { waitFor } from '../wait-for.js';

/** What the suite must be able to do to a runtime behind its back. */
export interface RuntimeHooks {
  /** Makes the workload without starting it, as a server that died in between leaves it. */
  makeWithoutStart?(spec: WorkloadSpec): Promise<string>;
  /** Removes the workload as somebody else would, with the engine's own tools. */
  removeBehind?(handle: string, spec: WorkloadSpec): Promise<void>;
  /** Everything that the engine tells anybody about the workload while it runs; not what its script itself has. */
  describe?(handle: string, spec: WorkloadSpec): Promise<string>;
  /** Names of everything of this installation that is still there: containers, processes, pods. */
  leftovers(): Promise<string[]>;
}

/** What a test has run. */
export interface RunSpec {
  script: string;
  request?: unknown;
  files?: InputFile[];
  env?: Record<string, string>;
  timeoutSeconds?: number;
  graceSeconds?: number;
  maxLogBytes?: number;
  maxOutputBytes?: number;
  limits?: Partial<WorkloadLimits>;
  network?: WorkloadSpec['network'];
  image?: string;
  attempt?: number;
  secrets?: string[];
  /** What it is to sign with; otherwise a new one. */
  key?: string;
}

const LIMITS: WorkloadLimits = { memoryMb: 256, cpus: 1, pids: 64, tmpBytes: 16 * MiB };
/** How long a worker waits: as long as the slowest case takes to give it its job. */
const IDLE_SECONDS = 120;
/** Of the standard library, and such as change the process they are imported in. */
const PRELOAD = ['asyncio', 'concurrent.futures', 'decimal', 'json', 'logging', 'multiprocessing', 'sqlite3'];
/** Room for what else runs as the workloads' user on this machine. */
const OTHERS_PROCESSES = 128;
/** More where that is the user of the tests: what begins later, or runs in containers that this one does not see. */
const TESTERS_PROCESSES = 512;
/**
 * How long one workload may take to come up and end: far above what any does, also on a cluster whose API server was away.
 * Its parts' watches come back after up to 60 s each (client-go's reflectors back off to 30 s, with jitter up to twice
 * that), the scheduler's and the kubelet's one after the other.
 */
export const PATIENCE_MS = 150_000;

/** The workbench of one suite: a folder for workspaces, the provider under test, and all that was made with them. */
export class RuntimeBench {
  readonly workspaces: WorkspaceMaker;
  readonly spools: WorkspaceSpools;
  private readonly layout: WorkspaceLayout;
  private readonly made: Workload[] = [];
  private readonly providers: RuntimeProvider[] = [];
  private othersThreads: number | undefined;

  private constructor(
    readonly provider: RuntimeProvider,
    readonly dataDir: string,
    readonly hooks: RuntimeHooks,
    private readonly image: string,
    private readonly create: (dataDir: string) => Promise<RuntimeProvider>,
    /** Whether jobs that a worker can take are given to one. */
    private readonly isWarm: boolean,
  ) {
    this.layout = new WorkspaceLayout(Object.assign(new StorageConfig(), { DATA_DIR: dataDir }));
    this.workspaces = new WorkspaceMaker(this.layout);
    this.spools = new WorkspaceSpools(this.layout);
    this.providers.push(provider);
  }

  static async open(setup: {
    create: (dataDir: string) => Promise<RuntimeProvider>;
    hooks: RuntimeHooks;
    image: string;
    isWarm?: boolean;
  }): Promise<RuntimeBench> {
    const dataDir = await makeDataFolder('runtime-bench-');
    const provider = await setup.create(dataDir);
    const bench = new RuntimeBench(
      provider,
      dataDir,
      setup.hooks,
      setup.image,
      setup.create,
      setup.isWarm ?? false,
    );
    await bench.workspaces.prepare();
    return bench;
  }

  /** Another provider of the same installation, as a server that was started again has it. */
  async another(): Promise<RuntimeProvider> {
    const provider = await this.create(this.dataDir);
    this.providers.push(provider);
    return provider;
  }

  /** Makes a workspace and the spec of a workload, and starts nothing. */
  async prepare(run: RunSpec): Promise<Workload> {
    const jobId = newId();
    const attempt = run.attempt ?? 1;
    const limits = { ...LIMITS, ...run.limits };
    const timing = { timeoutSeconds: run.timeoutSeconds ?? 60, graceSeconds: run.graceSeconds ?? 5 };
    const name = workloadName(jobId, attempt);
    const key = run.key ?? newKey();
    const content = {
      script: run.script,
      requestText: JSON.stringify(run.request ?? null),
      files: run.files ?? [],
      order: this.toJobOrder({ ...run, ...timing, attempt }, jobId, limits),
    };
    const workspace = await this.workspaces.make(randomUUID(), content, { workload: name, key });
    const spec: WorkloadSpec = {
      name,
      jobId,
      attempt,
      image: run.image ?? this.image,
      workspace,
      limits,
      network: run.network ?? 'NONE',
      secrets: run.secrets ?? [],
      ...timing,
    };
    const workload = new Workload(this, spec, jobId, { workload: name, key, attempt });
    this.made.push(workload);
    return workload;
  }

  /** Starts a workload; where the bench is warm, by giving the job to a worker that was started before, if one can take it. */
  async start(run: RunSpec): Promise<Workload> {
    if (this.isWarm && isForWorker(run)) return this.startWarm(run);
    const workload = await this.prepare(run);
    await workload.start();
    return workload;
  }

  private async startWarm(run: RunSpec): Promise<Workload> {
    const [id, jobId] = [newWorkerId(), newId()];
    const [key, attempt] = [run.key ?? newKey(), run.attempt ?? 1];
    const frameKey = { workload: workerWorkload(id), key, attempt };
    const limits = { ...LIMITS, ...run.limits };
    const timing = { timeoutSeconds: run.timeoutSeconds ?? 60, graceSeconds: run.graceSeconds ?? 5 };
    const spec: WorkloadSpec = {
      name: workerWorkload(id),
      jobId: null,
      attempt: null,
      image: run.image ?? this.image,
      workspace: await this.workspaces.makeForWorker(id, frameKey),
      limits,
      network: run.network ?? 'NONE',
      secrets: [],
      graceSeconds: timing.graceSeconds,
      timeoutSeconds: timing.timeoutSeconds + IDLE_SECONDS,
      worker: { idleSeconds: IDLE_SECONDS, preload: PRELOAD },
    };
    const workload = new Workload(this, spec, jobId, frameKey);
    this.made.push(workload);
    await workload.start();
    await waitFor(() => this.spools.readReady(id), {
      deadlineMs: PATIENCE_MS,
      describe: () => `the worker ${spec.name} ready`,
    });
    await this.workspaces.handOut(id, {
      script: run.script,
      requestText: JSON.stringify(run.request ?? null),
      files: run.files ?? [],
      order: this.toJobOrder({ ...run, ...timing, attempt }, jobId, limits),
    });
    return workload;
  }

  /** Runs a script to its end. */
  async run(run: RunSpec): Promise<Ended> {
    const workload = await this.start(run);
    const exit = await workload.exit();
    return { exit, spool: await workload.spool(), workload };
  }

  /** Removes every workload and workspace made so far. Called after each case. */
  async tidy(): Promise<void> {
    for (const workload of this.made.splice(0)) {
      if (workload.handle) await this.provider.remove(workload.handle);
      await this.workspaces.discard(workload.spec.workspace.id);
    }
  }

  /** Closes every provider and removes the folder; returns what was left behind, by name. */
  async close(): Promise<string[]> {
    await this.tidy();
    const folders: string[] = [];
    for (const root of WORKSPACE_ROOTS)
      for await (const ids of workspaceIdsIn(this.layout.root(root))) folders.push(...ids);
    for (const provider of this.providers) await provider.close();
    const left = [...(await this.hooks.leftovers()), ...folders.map((id) => `workspace ${id}`)];
    await rm(this.dataDir, { recursive: true, force: true });
    return left;
  }

  /** How many processes a workload can have at most; a limit of the user counts what others of the user run, too. */
  processBound({ pids }: WorkloadLimits): number {
    if (this.provider.capabilities.pidsLimit !== 'perUser') return pids;
    this.othersThreads ??= isRoot() ? OTHERS_PROCESSES : threadsOf(runnerUser().uid) + TESTERS_PROCESSES;
    return pids + this.othersThreads;
  }

  /** What `execution/` puts in an order for a runtime that limits each process and not the workload. */
  private toJobOrder(
    run: RunSpec & { timeoutSeconds: number; graceSeconds: number; attempt: number },
    jobId: string,
    limits: WorkloadLimits,
  ): JobOrder {
    const { memoryLimit, pidsLimit } = this.provider.capabilities;
    return {
      version: 1,
      jobId,
      attempt: run.attempt,
      env: run.env ?? {},
      timeoutSeconds: run.timeoutSeconds,
      graceSeconds: run.graceSeconds,
      maxLogBytes: run.maxLogBytes ?? 4 * MiB,
      maxOutputBytes: run.maxOutputBytes ?? 1024 * MiB,
      limits: {
        addressSpaceBytes:
          memoryLimit === 'perProcess' ? limits.memoryMb * MiB + ADDRESS_SPACE_SLACK_BYTES : null,
        processes: pidsLimit === 'perUser' ? this.processBound(limits) : null,
        openFiles: 1024,
      },
      secrets: run.secrets ?? [],
      signed: true,
    };
  }
}

/** How many threads, of all processes that are seen here, belong to a user: the kernel counts them as processes. */
function threadsOf(uid: number): number {
  const statuses = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(statusOf);
  const own = statuses.filter((status) => new RegExp(`^Uid:\\t${uid}\\t`, 'm').test(status));
  return own.reduce((sum, status) => sum + Number(/^Threads:\t(\d+)$/m.exec(status)?.[1] ?? 0), 0);
}

function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}

export interface Ended {
  exit: WorkloadExit;
  spool: SpoolContent;
  workload: Workload;
}

function isForWorker({ secrets = [], env = {} }: RunSpec): boolean {
  return secrets.length === 0 && !Object.keys(env).some(isUnfit);
}

/** One workload of a case. */
export class Workload {
  handle = '';

  constructor(
    private readonly bench: RuntimeBench,
    readonly spec: WorkloadSpec,
    readonly jobId: string,
    readonly key: FrameKey,
  ) {}

  async start(provider: RuntimeProvider = this.bench.provider): Promise<string> {
    this.handle = await provider.start(this.spec);
    return this.handle;
  }

  exit(provider: RuntimeProvider = this.bench.provider, deadlineMs?: number): Promise<WorkloadExit> {
    const wait = (signal: AbortSignal): Promise<WorkloadExit> => provider.wait(this.handle, signal);
    return withPatience(`the end of ${this.spec.name}`, wait, deadlineMs);
  }

  spool(): Promise<SpoolContent> {
    return SpoolContent.read(this.spec.workspace);
  }

  /**
   * Waits until the script has printed `text` to its standard output, and the line that it is in is complete: Python
   * writes the end of a line by itself, and a signal may come between the two.
   */
  async printed(text: string): Promise<void> {
    const isThere = (stdout: string): boolean => {
      const at = stdout.indexOf(text);
      return at >= 0 && stdout.includes('\n', at);
    };
    await waitFor(async () => isThere((await this.spool()).stdout), {
      deadlineMs: PATIENCE_MS,
      describe: () => `'${text}' on the standard output of ${this.spec.name}`,
    });
  }

  /** The text of a file the script left in its output folder. */
  output(path: string): Promise<string> {
    return readFile(this.outputPath(path), 'utf8');
  }

  outputPath(path: string): string {
    return join(this.spec.workspace.outputDir, path);
  }

  async makeWithoutStart(): Promise<void> {
    this.handle = await this.bench.hooks.makeWithoutStart!(this.spec);
  }

  /** What the engine tells about it; see the hook. */
  description(): Promise<string> {
    return this.bench.hooks.describe!(this.handle, this.spec);
  }

  async removeBehind(): Promise<void> {
    await this.bench.hooks.removeBehind!(this.handle, this.spec);
  }
}

/** The text of a script in test/fixtures/scripts. */
export function fixture(name: string): Promise<string> {
  return readFile(new URL(`../../fixtures/scripts/${name}.py`, import.meta.url), 'utf8');
}

/** Turns a wait that never ends into a failure that says what was waited for. */
export async function withPatience<T>(
  what: string,
  wait: (signal: AbortSignal) => Promise<T>,
  deadlineMs = PATIENCE_MS,
): Promise<T> {
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    return await wait(signal);
  } catch (error) {
    throw signal.aborted
      ? new Error(`${what} did not come in ${deadlineMs} ms (${messageOf(error)})`)
      : error;
  }
}
