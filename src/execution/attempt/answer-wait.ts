import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import { childSignal, signalWithin, sleep } from '../../common/async/abort.js';
import { retry } from '../../common/async/retry.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { LimitsConfig } from '../../config/parts/limits-config.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { RuntimeProvider } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { WorkspaceOrders } from '../../workspace/workspace-orders.js';
import { isWholeStory, toExit } from '../outcome/signed-end.js';
import type { WatchedEnd } from './attempt-watcher.js';
import { UNHEARD } from './attempt-watcher.js';
import { CancelWatch } from './cancel-watch.js';
import { ScriptEvidence } from './script-evidence.js';

/** A cancel that came before the watch is found so late. Most starts are over by then, and cost no look. */
const FIRST_LOOK_MS = 1_000;
/** How much later than a script's deadline and grace its end is not waited for any more. */
const END_MARGIN_MS = 20_000;
/** Between two tries to take an order back on a disk that fails. */
const DISK_RETRY = { firstMs: 500, maxMs: 10_000 };

/** What came first. */
export type Heard<Answer> =
  | { readonly answer: Answer }
  /** The script of the attempt will never begin: its job was cancelled, or the engine was silent for too long. */
  | { readonly prevented: 'cancel' | 'silence' }
  /** The script had begun, and this is all that is known of its end without the engine. */
  | { readonly end: WatchedEnd };

/**
 * Waits for what an engine says of an attempt's workload while nobody knows whether it has one: as it is started, or looked
 * for. An engine that is away or lies does not hold the job for ever.
 */
@Injectable()
export class AnswerWait {
  protected readonly patienceMs: number;
  protected readonly endMarginMs: number = END_MARGIN_MS;

  constructor(
    @Inject(RUNTIME_PROVIDER) runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly cancels: CancelWatch,
    private readonly evidence: ScriptEvidence,
    private readonly orders: WorkspaceOrders,
    private readonly config: LimitsConfig,
  ) {
    this.patienceMs = runtime.startTimeoutSeconds * 1000;
  }

  /** Rejects as `answer` does. `answer` is not ended when something else comes first. */
  async hear<Answer>(
    claim: ClaimedJob,
    answer: Promise<Answer>,
    signal: AbortSignal,
  ): Promise<Heard<Answer>> {
    const waiting = childSignal(signal);
    try {
      return await Promise.race([
        answer.then((given) => ({ answer: given })),
        this.untilCancelled(claim, waiting.signal),
        this.untilTooLate(claim, waiting.signal),
      ]);
    } finally {
      waiting.abort();
      waiting.release();
    }
  }

  /** Resolves when the job was cancelled and its script will never begin. */
  private untilCancelled(claim: ClaimedJob, signal: AbortSignal): Promise<{ prevented: 'cancel' }> {
    return new Promise((resolve) => {
      const onCancel = async (): Promise<void> => {
        if (await this.preventStart(claim, signal)) resolve({ prevented: 'cancel' });
      };
      const stop = this.cancels.watch(claim.job.id, () => void onCancel(), FIRST_LOOK_MS);
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  private async untilTooLate(
    claim: ClaimedJob,
    signal: AbortSignal,
  ): Promise<{ prevented: 'silence' } | { end: WatchedEnd }> {
    await sleep(this.patienceMs, signal);
    const isPrevented = await this.preventStart(claim, signal);
    if (isPrevented) return { prevented: 'silence' };
    const end = isPrevented === undefined ? undefined : await this.untilEnd(claim, signal);
    // What waits for a promise is kept as long as that is: this one for as long as one answer.
    return end ? { end } : new Promise(() => undefined);
  }

  /** False: the script has begun, or may have. Undefined: `signal` has aborted. Repeated while the disk fails. */
  private preventStart(claim: ClaimedJob, signal: AbortSignal): Promise<boolean | undefined> {
    const prevent = async (): Promise<boolean> => {
      signal.throwIfAborted();
      // The order of a script that has begun stays as it is: the script can read it.
      if (!(await this.evidence.preventStart(claim)) && (await this.evidence.hasHiddenStart(claim)))
        return false;
      await this.orders.withdraw(claim.attempt.workspace);
      return this.evidence.isStartPrevented(claim);
    };
    const onFailure = (error: unknown): void =>
      this.log.warn(
        { jobId: claim.job.id, err: messageOf(error) },
        'an order could not be withdrawn; trying again',
      );
    return retry(prevent, { ...DISK_RETRY, onFailure }, signal).catch(() => undefined);
  }

  /** The end that the runner signs, or none at all when the script's time is long over; undefined when `signal` aborts. */
  private async untilEnd(claim: ClaimedJob, signal: AbortSignal): Promise<WatchedEnd | undefined> {
    const beganMs = performance.now();
    const leftMs = await this.leftMs(claim);
    const patience = signalWithin(leftMs, signal);
    try {
      const told = await this.evidence.waitForEnd(claim, patience.signal);
      // Of a runner that signs nothing no end is heard.
      if (!told) await sleep(leftMs, patience.signal);
      if (signal.aborted) return undefined;
      const seen = { stoppedFor: undefined, endedAtMs: Date.now(), watchedMs: performance.now() - beganMs };
      if (told && isWholeStory(told.ended, undefined))
        return { ...seen, exit: toExit(told.ended, false), told };
      this.log.error({ jobId: claim.job.id }, 'the engine is silent about a workload; its job ends without');
      return { ...seen, exit: UNHEARD, isUnheard: true };
    } finally {
      patience.release();
    }
  }

  /** How long the end of a script that has begun is waited for, milliseconds. */
  private async leftMs(claim: ClaimedJob): Promise<number> {
    const wholeMs = (claim.job.timeoutSeconds + this.config.STOP_GRACE_SECONDS) * 1000 + this.endMarginMs;
    const traces = await this.evidence.gather(claim).catch(() => undefined); // a disk that fails
    return Math.max(0, wholeMs - (Date.now() - (traces?.startedAtMs ?? Date.now())));
  }
}
