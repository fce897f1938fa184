import { signalWithin, sleep } from '../../common/async/abort.js';
import { AppError, messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { RUNNER_REFUSALS } from '../../runner/exit-codes.js';
import type { WorkloadKey } from '../../runner/key.js';
import { newKey } from '../../runner/key.js';
import { readyTrust } from '../../runner/signature.js';
import type { WorkspaceMaker } from '../../workspace/workspace-maker.js';
import type { KeyState, WorkspaceSpools } from '../../workspace/workspace-spools.js';
import { publicMessage } from '../public-message.js';
import type { RuntimeProvider, WorkloadExit, WorkloadSpec } from '../runtime-provider.js';
import { WorkloadStartError } from '../runtime.errors.js';
import type { ReadyReport } from '../../runner/ready.js';
import { parseReadyReport } from '../../runner/ready.js';
import type { WarmWorker } from './warm-worker.js';
import { workerWorkload } from './warm-worker.js';

/** How long a worker may take for its imports. The runner gives up a module after the same time. */
export const PRELOAD_SECONDS = 60;
const LOOK_MS = 20;
const LOOK_LATER_MS = 100;
const QUICK_LOOKS = 50;
const REMOVAL_MS = 30_000;

/** What a new worker is to be. */
export interface WorkerSpec extends Pick<
  WorkloadSpec,
  'image' | 'limits' | 'network' | 'timeoutSeconds' | 'graceSeconds'
> {
  readonly id: string;
  readonly environment: string;
  readonly preload: readonly string[] | undefined;
  readonly idleSeconds: number;
}

export interface LaunchedWorker {
  readonly worker: WarmWorker;
  readonly report: ReadyReport;
}

/** A worker that does not come up. The message is fit for anybody: it names no path and no host. */
class WorkerFailedError extends Error {}

/** Makes workers, and takes them away. */
export class WorkerLauncher {
  constructor(
    private readonly runtime: RuntimeProvider,
    private readonly workspaces: WorkspaceMaker,
    private readonly spools: WorkspaceSpools,
    private readonly log: Log,
  ) {}

  /** Resolves when the worker waits for its job. @throws when it does not come up; nothing of it is left then */
  async launch(spec: WorkerSpec, signal: AbortSignal): Promise<LaunchedWorker> {
    const { id, environment } = spec;
    const key: WorkloadKey = { workload: workerWorkload(id), key: newKey() };
    let handle: string | undefined;
    try {
      const imageVersion = await this.runtime.imageVersion(spec.image, signal);
      handle = await this.runtime.start(await this.toWorkloadSpec(spec, key), signal);
      const report = await this.awaitReady(id, handle, key, signal);
      const worker: WarmWorker = {
        ...key,
        id,
        handle,
        environment,
        readySinceMs: Date.now(),
        imageVersion,
        environmentRead: new Set(report.environmentRead),
      };
      return { worker, report };
    } catch (error) {
      await this.remove(spec.id, handle);
      throw error;
    }
  }

  /** When the worker last touched its file, milliseconds; only to be compared with an earlier time. */
  touchedAtMs(id: string): Promise<number | undefined> {
    return this.spools.readyTouchedAtMs(id);
  }

  /** Never rejects: the sweeper removes what cannot be removed now. */
  async remove(id: string, handle: string | undefined): Promise<void> {
    try {
      const signal = AbortSignal.timeout(REMOVAL_MS);
      const found = handle ?? (await this.findHandle(id, signal));
      if (found !== undefined) await this.runtime.remove(found, signal);
      await this.workspaces.discard(id);
    } catch (error) {
      this.log.warn(
        { worker: workerWorkload(id), err: messageOf(error) },
        'a worker could not be removed; the sweeper will',
      );
    }
  }

  /** Finds a worker whose start happened although its answer was lost. */
  private async findHandle(id: string, signal: AbortSignal): Promise<string | undefined> {
    const name = workerWorkload(id);
    return (await this.runtime.list(signal)).find((workload) => workload.name === name)?.handle;
  }

  private async toWorkloadSpec(spec: WorkerSpec, key: WorkloadKey): Promise<WorkloadSpec> {
    const { id, image, limits, network, timeoutSeconds, graceSeconds, preload, idleSeconds } = spec;
    return {
      name: key.workload,
      jobId: null,
      attempt: null,
      image,
      workspace: await this.workspaces.makeForWorker(id, key),
      limits,
      network,
      // An engine that holds deadlines counts from the start of the workload, not of the job.
      timeoutSeconds: this.runtime.startTimeoutSeconds + PRELOAD_SECONDS + idleSeconds + timeoutSeconds,
      graceSeconds,
      secrets: [],
      worker: { idleSeconds, ...(preload ? { preload } : {}) },
    };
  }

  private async awaitReady(
    id: string,
    handle: string,
    key: WorkloadKey,
    signal: AbortSignal,
  ): Promise<ReadyReport> {
    const tooLate = new WorkerFailedError('A worker did not get ready in time.');
    const patience = signalWithin(this.patienceMs, signal, tooLate);
    const ending = this.runtime.wait(handle, patience.signal).then((exit) => {
      throw new WorkerFailedError(`A worker ended before it was ready: ${exitText(exit)}`);
    });
    ending.catch(() => undefined);
    try {
      for (let looks = 0; ; looks++) {
        const text = await this.spools.readReady(id);
        if (text !== undefined) return understood(text, key, await this.spools.keyState(id, key));
        const lookMs = looks < QUICK_LOOKS ? LOOK_MS : LOOK_LATER_MS;
        await Promise.race([sleep(lookMs, patience.signal), ending]);
        patience.signal.throwIfAborted();
      }
    } finally {
      patience.abort();
    }
  }

  private get patienceMs(): number {
    return (this.runtime.startTimeoutSeconds + PRELOAD_SECONDS) * 1000;
  }
}

/** @throws for what its runner has not said, or has said in a way that nobody knows */
function understood(text: string, key: WorkloadKey, keyState: KeyState): ReadyReport {
  const trust = readyTrust(text, key);
  // The key of a runner that signs nothing lies there for good.
  if (trust === 'forged' || (trust === 'none' && keyState !== 'lies'))
    throw new WorkerFailedError('What a worker said was not signed by its runner.');
  const report = parseReadyReport(text);
  if (!report) throw new WorkerFailedError('A worker said something that is not understood.');
  return report;
}

/** Why a worker could not be made, for the API. Messages that were not written for the public stay in the log. */
export function publicReason(error: unknown): string {
  if (error instanceof WorkloadStartError) return publicMessage(error.failure);
  const isPublic = error instanceof WorkerFailedError || error instanceof AppError;
  return isPublic ? error.message : 'A worker could not be made; the log of the server says why.';
}

/** The exit code of a worker without a job is the runner's own, so its meaning is known. */
function codeText(exitCode: number, oomKilled: boolean): string {
  const { message, hint } = RUNNER_REFUSALS[exitCode] ?? {};
  const code = `exit code ${exitCode}${oomKilled ? ', out of memory' : ''}`;
  return message === undefined ? code : [`${code}.`, message, hint].filter(Boolean).join(' ');
}

/** For the log and for operators. */
export function exitText(exit: WorkloadExit): string {
  switch (exit.kind) {
    case 'exited':
      return codeText(exit.exitCode, exit.oomKilled);
    case 'signalled':
      return `signal ${exit.signal}`;
    case 'startFailed':
      return [publicMessage(exit.failure), exit.failure.hint].filter(Boolean).join(' ');
    case 'evicted':
    case 'nodeLost':
    case 'lost':
      return publicMessage(exit);
    case 'neverStarted':
    case 'deadlineExceeded':
    case 'removed':
      return exit.kind;
  }
}
