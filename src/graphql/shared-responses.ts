import type { ExecutionArgs, ExecutionResult } from 'graphql';
import { createSourceEventStream, execute } from 'graphql';
import { isShared } from '../common/async/shared-events.js';

/** What `execute` takes, and which others show the same of an event. */
export interface SharingArgs extends ExecutionArgs {
  shareKey: string;
}

type Result = ExecutionResult | Promise<ExecutionResult>;

/** What shared events have come to, by the key of the operations: kept for as long as the event is. */
const results = new WeakMap<object, Map<string, Result>>();
const texts = new WeakMap<ExecutionResult, string>();

/** As graphql's own `subscribe`, but an event that many share is executed once for all operations of one key. */
export async function subscribeSharing(
  args: SharingArgs,
): Promise<AsyncIterableIterator<ExecutionResult, void> | ExecutionResult> {
  const events = await createSourceEventStream(args);
  if (!(Symbol.asyncIterator in events)) return events;
  const iterator = events[Symbol.asyncIterator]();
  return mapEach(iterator, (event) => (isShared(event) ? executeOnce(args, event) : respond(args, event)));
}

/**
 * Passes on what `send` does not take. The results of shared events go to it as text, written once for everybody; it
 * resolves when the text is sent, so one who reads slowly is waited for as ever.
 */
export function sendShared(
  responses: AsyncIterable<ExecutionResult>,
  send: (text: string) => Promise<void>,
): AsyncIterableIterator<ExecutionResult, void> {
  return mapEach(responses[Symbol.asyncIterator](), async (result) => {
    const text = texts.get(result);
    if (text === undefined) return result;
    await send(text);
    return undefined;
  });
}

function executeOnce(args: SharingArgs, event: object): Result {
  const known = results.get(event) ?? new Map<string, Result>();
  results.set(event, known);
  const result = known.get(args.shareKey) ?? writeDown(respond(args, event));
  known.set(args.shareKey, result);
  return result;
}

function respond(args: ExecutionArgs, event: unknown): Result {
  return execute({ ...args, rootValue: event });
}

function writeDown(result: Result): Result {
  if (result instanceof Promise) return result.then(writeDown);
  // One that failed is told to each under the number of their own request.
  if (!result.errors) texts.set(result, JSON.stringify(result));
  return result;
}

/** Leaves out what `map` makes nothing of. Ends with the source, and the source with it. */
function mapEach<S, T>(
  source: AsyncIterator<S>,
  map: (value: S) => T | undefined | Promise<T | undefined>,
): AsyncIterableIterator<T, void> {
  const end = async (): Promise<IteratorResult<T, void>> => {
    await source.return?.();
    return { done: true, value: undefined };
  };
  return {
    async next() {
      for (;;) {
        const step = await source.next();
        if (step.done) return { done: true, value: undefined };
        const mapped = await mapOrEnd(step.value);
        if (mapped !== undefined) return { done: false, value: mapped };
      }
    },
    return: end,
    async throw(error) {
      await end();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };

  async function mapOrEnd(value: S): Promise<T | undefined> {
    try {
      return await map(value);
    } catch (error) {
      await end();
      throw error;
    }
  }
}
