/** Resolves after `ms` milliseconds, or at once when `signal` aborts. Never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Resolves with `promise`, whatever becomes of it, or after `ms` milliseconds. Leaves no timer behind. */
export async function settledWithin(promise: Promise<unknown>, ms: number): Promise<void> {
  const patience = new AbortController();
  await Promise.race([promise.catch(() => undefined), sleep(ms, patience.signal)]);
  patience.abort();
}

/** Waits for `promise`, but rejects with the signal's reason as soon as it aborts. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    // Heard in any case: an error that nobody hears would end the process.
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

export interface ChildSignal {
  signal: AbortSignal;
  abort: (reason?: Error) => void;
  /** Lets go of the parent. Without it a parent that lives as long as the server would keep every child. */
  release: () => void;
}

/** A signal that aborts with `parent`, or by itself. */
export function childSignal(parent: AbortSignal): ChildSignal {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(parent.reason);
  if (parent.aborted) onAbort();
  else parent.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => parent.removeEventListener('abort', onAbort),
  };
}

/**
 * A signal that aborts with `parent`, or with `reason` after `ms`. It has a timer until it is released. `AbortSignal.any` does not do for
 * this: it holds its sources weakly, and a time-out that has been collected never comes.
 */
export function signalWithin(ms: number, parent?: AbortSignal, reason?: Error): ChildSignal {
  const child = childSignal(parent ?? new AbortController().signal);
  const tooLate = (): void => child.abort(reason ?? new DOMException('it took too long', 'TimeoutError'));
  const timer = setTimeout(tooLate, ms);
  const release = (): void => {
    clearTimeout(timer);
    child.release();
  };
  child.signal.addEventListener('abort', release, { once: true });
  return { ...child, release };
}

/** A delay that doubles from `firstMs` up to `maxMs`, with jitter so that many clients do not march in step. */
export class Backoff {
  private nextMs: number;

  constructor(
    private readonly firstMs: number,
    private readonly maxMs: number,
  ) {
    this.nextMs = firstMs;
  }

  reset(): void {
    this.nextMs = this.firstMs;
  }

  async wait(signal?: AbortSignal): Promise<void> {
    const delayMs = this.nextMs * (0.5 + Math.random() / 2);
    this.nextMs = Math.min(this.nextMs * 2, this.maxMs);
    await sleep(delayMs, signal);
  }
}
