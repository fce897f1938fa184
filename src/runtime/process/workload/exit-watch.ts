import type { FSWatcher } from 'node:fs';
import { watch } from 'node:fs';

/** Looks whether a workload has ended; undefined while it has not. */
export type Look<T> = (name: string) => Promise<T | undefined>;

/** Events come at once; this is for what makes none: a supervisor that was killed, a host out of watches. */
const POLL_MS = 250;

interface Waiter<T> {
  look: Look<T>;
  resolve(value: T): void;
  reject(reason: Error): void;
}

/** One watch and one slow poll for all waiters of a folder, both only while somebody waits. */
export class ExitWatch<T> {
  private readonly waiters = new Map<string, Set<Waiter<T>>>();
  /** Names that are being looked for; true when something happened meanwhile, so that another look is due. */
  private readonly looking = new Map<string, boolean>();
  private watcher: FSWatcher | undefined;
  private poll: NodeJS.Timeout | undefined;
  private closed: Error | undefined;

  constructor(private readonly folder: string) {}

  /** Resolves with the first thing that `look` finds. */
  wait(name: string, look: Look<T>, signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.closed) return reject(this.closed);
      if (signal?.aborted) return reject(signal.reason as Error);
      const onAbort = (): void => settle(() => reject(signal?.reason as Error));
      const settle = (answer: () => void): void => {
        signal?.removeEventListener('abort', onAbort);
        this.forget(name, waiter);
        answer();
      };
      const waiter: Waiter<T> = {
        look,
        resolve: (value) => settle(() => resolve(value)),
        reject: (reason) => settle(() => reject(reason)),
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.remember(name, waiter);
      void this.lookFor(name);
    });
  }

  /** Looks at once, for a caller that knows of a change. */
  notice(name: string): void {
    if (this.waiters.has(name)) void this.lookFor(name);
  }

  /** Ends the watch and the poll, and every wait with `reason`. */
  close(reason: Error): void {
    this.closed = reason;
    for (const waiters of [...this.waiters.values()])
      for (const waiter of [...waiters]) waiter.reject(reason);
  }

  private remember(name: string, waiter: Waiter<T>): void {
    const waiters = this.waiters.get(name) ?? new Set();
    this.waiters.set(name, waiters.add(waiter));
    if (!this.poll) this.begin();
  }

  private forget(name: string, waiter: Waiter<T>): void {
    const waiters = this.waiters.get(name);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.waiters.delete(name);
    if (this.waiters.size === 0) this.rest();
  }

  private begin(): void {
    this.poll = setInterval(() => {
      for (const name of this.waiters.keys()) void this.lookFor(name);
    }, POLL_MS);
    try {
      this.watcher = watch(this.folder, (_event, file) => this.notice(file?.replace(/\.exit$/, '') ?? ''));
      this.watcher.on('error', () => this.watcher?.close());
    } catch {
      // The poll is enough.
    }
  }

  private rest(): void {
    clearInterval(this.poll);
    this.watcher?.close();
    this.poll = this.watcher = undefined;
  }

  /** One look at a time for each name: a look may end stray processes, which takes a while. */
  private async lookFor(name: string): Promise<void> {
    if (this.looking.has(name)) return void this.looking.set(name, true);
    do {
      this.looking.set(name, false);
      for (const waiter of [...(this.waiters.get(name) ?? [])]) await lookOnce(name, waiter);
    } while (this.looking.get(name));
    this.looking.delete(name);
  }
}

async function lookOnce<T>(name: string, waiter: Waiter<T>): Promise<void> {
  try {
    const found = await waiter.look(name);
    if (found !== undefined) waiter.resolve(found);
  } catch {
    // The host is out of something, descriptors for example. Nothing is known; the next look may tell.
  }
}
