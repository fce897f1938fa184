import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { retry } from '../../common/async/retry.js';
import type { StopReason } from '../outcome/stop-reason.js';
import type { RuntimeProvider } from '../../runtime/runtime-provider.js';

/** What the runner gets beyond the grace, to kill what is left and write its last frame. */
const RUNNER_MARGIN_MS = 5_000;
/** How much later than that a stop has had no effect, and the engine is not waited for any more. */
const PATIENCE_MS = 15_000;

/** Ends one workload early. The first reason is kept; a later one can only shorten the grace. */
export class StopControl {
  /** Resolves when the workload should long have ended by a stop that was asked for. */
  readonly ignored: Promise<void>;
  private firstReason: StopReason | undefined;
  private giveUp: () => void = () => undefined;
  private giveUpAtMs = Infinity;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly runtime: RuntimeProvider,
    private readonly handle: string,
    private readonly log: Log,
    /** Aborts when the workload has ended or this server stops. */
    private readonly signal: AbortSignal,
    private readonly patienceMs = PATIENCE_MS,
  ) {
    this.ignored = new Promise((resolve) => (this.giveUp = resolve));
    signal.addEventListener('abort', () => clearTimeout(this.timer), { once: true });
  }

  get reason(): StopReason | undefined {
    return this.firstReason;
  }

  /** Repeats the request until the engine has carried it out, also while the engine is away. Never rejects. */
  async stop(reason: StopReason, graceSeconds: number): Promise<void> {
    if (this.signal.aborted) return;
    this.firstReason ??= reason;
    this.expectEnd(graceSeconds * 1000 + RUNNER_MARGIN_MS);
    const ask = (): Promise<void> => this.runtime.stop(this.handle, graceSeconds, this.signal);
    const onFailure = (error: unknown): void =>
      this.log.warn({ err: messageOf(error), reason }, 'the workload could not be stopped yet; trying again');
    try {
      await retry(ask, { firstMs: 200, maxMs: 5_000, onFailure }, this.signal);
    } catch {
      // The signal aborted: nothing is left to stop, or another server does it.
    }
  }

  private expectEnd(inMs: number): void {
    const atMs = performance.now() + inMs + this.patienceMs;
    if (atMs >= this.giveUpAtMs) return;
    this.giveUpAtMs = atMs;
    clearTimeout(this.timer);
    this.timer = setTimeout(this.giveUp, inMs + this.patienceMs);
  }
}
