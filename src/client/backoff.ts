const FIRST_MS = 100;
const MAX_MS = 10_000;

/** Twice as long after each failure, and anywhere in the upper half of it: clients cut off together come back apart. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** failures);
  return ceiling * (0.5 + random() / 2);
}

/** Resolves after `ms` milliseconds. @throws the signal's reason when it is aborted meanwhile */
export async function sleepOrThrow(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
