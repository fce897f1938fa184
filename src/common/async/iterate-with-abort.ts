/**
 * An iterator over what `start` generates, whose `return` first aborts the generator's signal. A plain generator that
 * waits would only notice after its wait, and a client that left would hold its resources until then.
 */
export function iterateWithAbort<T>(
  start: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
): AsyncIterableIterator<T> {
  const controller = new AbortController();
  const generator = start(controller.signal);
  return {
    next: () => generator.next(),
    return: () => {
      controller.abort();
      return generator.return() as Promise<IteratorResult<T>>;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
