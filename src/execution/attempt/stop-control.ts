import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { retry } from '../../common/async/retry.js';
import type { StopReason } from '../outcome/stop-reason.js';
import type { RuntimeProvider } from '../../runtime/runtime-provider.js';

/** Ends one workload early. The first reason is kept; a later one can only shorten the grace. */
export class StopControl {
  private firstReason: StopReason | undefined;

  constructor(
    private readonly runtime: RuntimeProvider,
    private readonly handle: string,
    private readonly log: Log,
    /** Aborts when the workload has ended or this server stops. */
    private readonly signal: AbortSignal,
  ) {}

  get reason(): StopReason | undefined {
    return this.firstReason;
  }

  /** Repeats the request until the engine has carried it out, also while the engine is away. Never rejects. */
  async stop(reason: StopReason, graceSeconds: number): Promise<void> {
    if (this.signal.aborted) return;
    this.firstReason ??= reason;
    const ask = (): Promise<void> => this.runtime.stop(this.handle, graceSeconds, this.signal);
    const onFailure = (error: unknown): void =>
      this.log.warn({ err: messageOf(error), reason }, 'the workload could not be stopped yet; trying again');
    try {
      await retry(ask, { firstMs: 200, maxMs: 5_000, onFailure }, this.signal);
    } catch {
      // The signal aborted: nothing is left to stop, or another server does it.
    }
  }
}
