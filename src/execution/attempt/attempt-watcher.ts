import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import { childSignal, signalWithin, sleep } from '../../common/async/abort.js';
import { retry } from '../../common/async/retry.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { LimitsConfig } from '../../config/parts/limits-config.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { RuntimeProvider, WorkloadExit } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { CancelWatch } from './cancel-watch.js';
import { JobRecorder } from './job-recorder.js';
import type { SignedTraces } from './script-evidence.js';
import { ScriptEvidence } from './script-evidence.js';
import type { StopReason } from '../outcome/stop-reason.js';
import { isWholeStory, toExit } from '../outcome/signed-end.js';
import { StopControl } from './stop-control.js';

/** The runner holds deadline and grace by itself. The server stops the workload this much later. */
const DEADLINE_MARGIN_MS = 5_000;
/**
 * How long the handle of a new workload may wait to be stored together with the start of its script. A server that dies
 * meanwhile leaves a workload that is found by its name.
 */
const HANDLE_MS = 50;
/** A script that ends sooner has its start stored together with its end: each commit is a wait for the disk. */
const SHORT_SCRIPT_MS = 25;

const WAIT_AGAIN = { firstMs: 1_000, maxMs: 30_000 };

/** A worker that was given a job has this long to begin it, which takes milliseconds. One that hangs is given up. */
const TAKING_MS = 30_000;

export interface WatchedEnd {
  exit: WorkloadExit;
  /** Why we ended it early, if we did. */
  stoppedFor: StopReason | undefined;
  /** When this server saw it, milliseconds since 1970. */
  endedAtMs: number;
  /** For how long it had waited, milliseconds. */
  watchedMs: number;
  /** The engine did not carry out a stop, or does not say so: something of the workload may still run. */
  isUnheard?: boolean | undefined;
  /** What the runner signed, where that came first: the engine still takes the workload down. */
  told?: SignedTraces | undefined;
}

/** Watches one live workload: marks its job running, holds its deadline, passes a cancel on, waits for its end. */
@Injectable()
export class AttemptWatcher {
  protected readonly takingMs: number = TAKING_MS;
  /** How long a stop may have no effect, milliseconds; undefined: as long as is usual. */
  protected readonly stopPatienceMs: number | undefined = undefined;

  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly recorder: JobRecorder,
    private readonly evidence: ScriptEvidence,
    private readonly cancels: CancelWatch,
    private readonly config: LimitsConfig,
  ) {}

  /** Rejects when `signal` aborts (the workload goes on), or when the job turns out to be another's. */
  async watch(claim: ClaimedJob, handle: string, signal: AbortSignal): Promise<WatchedEnd> {
    const beganMs = performance.now();
    const live = childSignal(signal);
    const control = new StopControl(this.runtime, handle, this.log, live.signal, this.stopPatienceMs);
    let preventStart: () => void = () => undefined;
    const prevented = new Promise<void>((resolve) => (preventStart = resolve));
    const stopWatching = this.cancels.watch(
      claim.job.id,
      () => void this.cancel(claim, control).then((isPrevented) => isPrevented && preventStart()),
    );
    const progress = this.seeProgress(claim, handle, control, live.signal);
    try {
      const end = await Promise.race([
        this.awaitExit(claim, handle, live.signal).then((exit) => ({ exit })),
        onlyFailure(progress),
        this.seeEnd(claim, control, live.signal),
        prevented.then(() => ({ exit: PREVENTED, stoppedFor: 'cancel' as const })),
        control.ignored.then(() => this.giveUpOn(claim, control)),
      ]);
      const watchedMs = performance.now() - beganMs;
      return { stoppedFor: control.reason, ...end, endedAtMs: Date.now(), watchedMs };
    } finally {
      stopWatching();
      live.abort();
      live.release();
      await progress.catch(() => undefined);
    }
  }

  /** A runtime that fails to tell is asked again: the deadline and a stop go on meanwhile, and end the job without it. */
  private awaitExit({ job }: ClaimedJob, handle: string, live: AbortSignal): Promise<WorkloadExit> {
    const onFailure = (error: unknown): void =>
      this.log.error(
        { jobId: job.id, err: messageOf(error), stack: (error as Error).stack },
        'the runtime failed to tell how a workload ends; asking again',
      );
    return retry(() => this.runtime.wait(handle, live), { ...WAIT_AGAIN, onFailure }, live);
  }

  /**
   * Before the script was let go, its workload is kept from doing so, and that is the end of the job: true. After that, or
   * where the runner knows no key, the workload is asked to end.
   */
  private async cancel(claim: ClaimedJob, control: StopControl): Promise<boolean> {
    const hasBegun = claim.attempt.startedAtMs !== null;
    if (!hasBegun && (await this.evidence.preventStart(claim).catch(() => false))) return true;
    void control.stop('cancel', this.config.STOP_GRACE_SECONDS);
    return false;
  }

  /** The engine did not carry out a stop, or does not say so: the job does not wait for it for ever. */
  private giveUpOn(claim: ClaimedJob, control: StopControl): { exit: WorkloadExit; isUnheard: true } {
    this.log.error(
      { jobId: claim.job.id, reason: control.reason },
      'a workload was told to end and the engine does not say that it has; its job ends without',
    );
    return { exit: UNHEARD, isUnheard: true };
  }

  /** The end as the runner tells it, if that is the whole story; never resolves otherwise. */
  private async seeEnd(
    claim: ClaimedJob,
    control: StopControl,
    live: AbortSignal,
  ): Promise<{ exit: WorkloadExit; told: SignedTraces }> {
    const told = await this.evidence.waitForEnd(claim, live);
    // One promise for each watch: what waits for a promise is kept as long as that is.
    if (!told || !isWholeStory(told.ended, control.reason)) return new Promise(() => undefined);
    return { exit: toExit(told.ended, false), told };
  }

  /** Waits for the script to begin, then for its deadline. Rejects when the job is another's; ends with `live`. */
  private async seeProgress(
    claim: ClaimedJob,
    handle: string,
    control: StopControl,
    live: AbortSignal,
  ): Promise<void> {
    const deadlineInMs = claim.deadlineInMs ?? (await this.seeStart(claim, handle, control, live));
    if (deadlineInMs === undefined) return;
    const lateMs = this.config.STOP_GRACE_SECONDS * 1000 + DEADLINE_MARGIN_MS;
    await sleepLong(deadlineInMs + lateMs, live);
    await control.stop('deadline', 0);
  }

  /** How long until the deadline, milliseconds; undefined when the script never began. */
  private async seeStart(
    claim: ClaimedJob,
    handle: string,
    control: StopControl,
    live: AbortSignal,
  ): Promise<number | undefined> {
    const isWarm = claim.attempt.startKind === 'WARM';
    const patienceMs = isWarm ? this.takingMs : this.runtime.startTimeoutSeconds * 1000;
    const patience = signalWithin(patienceMs, live);
    const starting = this.evidence.waitForStart(claim, patience.signal).finally(patience.release);
    const [startedAtMs] = await Promise.all([starting, this.saveLateHandle(claim, handle, starting, live)]);
    if (live.aborted) return undefined;
    const isLate = patience.signal.aborted && startedAtMs === undefined;
    // On a disk that fails it may have begun: its deadline runs in any case.
    if (isLate && !(await this.evidence.hasHiddenStart(claim).catch(() => true))) {
      await control.stop('startTimeout', 0);
      return undefined;
    }
    // A spool without a start frame was written by the script itself, so the script has begun.
    const beganAtMs = Math.round(startedAtMs ?? Date.now());
    const deadlineInMs = claim.job.timeoutSeconds * 1000;
    // Remembered in memory too: a script that empties its own spool must not look as if it had never begun.
    claim.attempt = { ...claim.attempt, startedAtMs: beganAtMs };
    await sleep(SHORT_SCRIPT_MS, live);
    if (live.aborted) return undefined;
    await this.recorder.markRunning(claim.fence, beganAtMs, deadlineInMs, handle, live);
    return deadlineInMs;
  }

  /** Stores the handle by itself when the script takes long to begin: an image may have to be fetched first. */
  private async saveLateHandle(
    claim: ClaimedJob,
    handle: string,
    starting: Promise<unknown>,
    live: AbortSignal,
  ): Promise<void> {
    if (claim.attempt.handle === handle) return;
    const patience = childSignal(live);
    void starting.catch(() => undefined).then(() => patience.abort());
    await sleep(HANDLE_MS, patience.signal);
    patience.release();
    if (patience.signal.aborted) return;
    await this.recorder.saveHandle(claim.fence, handle, live);
    claim.attempt = { ...claim.attempt, handle };
  }
}

/** A workload that was kept from letting its script go, or whose engine does not tell what became of it. */
export const PREVENTED: WorkloadExit = { kind: 'lost', message: 'The script was kept from beginning.' };
export const UNHEARD: WorkloadExit = {
  kind: 'lost',
  message: 'The engine does not say how the workload ended.',
};

/** Never resolves; rejects when `promise` does. */
function onlyFailure(promise: Promise<void>): Promise<never> {
  return new Promise((_, reject) => {
    promise.catch(reject);
  });
}

/** A timer holds at most 2^31 milliseconds, about 24 days. */
async function sleepLong(ms: number, signal: AbortSignal): Promise<void> {
  for (let left = ms; left > 0 && !signal.aborted; left -= 2 ** 30)
    await sleep(Math.min(left, 2 ** 30), signal);
}
