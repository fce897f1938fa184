import { describe, expect, it } from '@jest/globals';
import type { ExecutionResult } from 'graphql';
import { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString, parse } from 'graphql';
import { markShared } from '../common/async/shared-events.js';
import type { SharingArgs } from './shared-responses.js';
import { sendShared, subscribeSharing } from './shared-responses.js';

interface Event {
  text: string;
}

let resolved = 0;
const event = new GraphQLObjectType({
  name: 'Event',
  fields: {
    text: { type: GraphQLString, resolve: ({ text }: Event) => (resolved++, text) },
    fault: {
      type: GraphQLInt,
      resolve: () => {
        throw new Error('broken');
      },
    },
  },
});

async function subscribe(
  events: AsyncIterable<Event> | Error,
  text = '{ text }',
  shareKey = text,
): Promise<AsyncIterable<ExecutionResult>> {
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({ name: 'Query', fields: { a: { type: GraphQLInt } } }),
    subscription: new GraphQLObjectType({
      name: 'Subscription',
      fields: { events: { type: event, subscribe: () => events, resolve: (each: Event) => each } },
    }),
  });
  const args: SharingArgs = { schema, document: parse(`subscription { events ${text} }`), shareKey };
  return (await subscribeSharing(args)) as AsyncIterable<ExecutionResult>;
}

async function* from(...events: Event[]): AsyncGenerator<Event, void, void> {
  yield* events;
}

/** What is sent as text, and what is passed on. */
async function sentOf(responses: AsyncIterable<ExecutionResult>): Promise<unknown[]> {
  const got: unknown[] = [];
  const send = async (text: string): Promise<void> => void got.push(text);
  for await (const result of sendShared(responses, send)) got.push(result);
  return got;
}

describe('subscribeSharing', () => {
  it('executes a shared event once for all operations of one key', async () => {
    const shared = markShared({ text: 'x' });
    resolved = 0;
    const all = await Promise.all(
      Array.from({ length: 3 }, async () => sentOf(await subscribe(from(shared)))),
    );
    expect(all).toEqual(Array(3).fill(['{"data":{"events":{"text":"x"}}}']));
    expect(resolved).toBe(1);
  });

  it('executes it again for an operation that shows something else', async () => {
    const shared = markShared({ text: 'x' });
    const one = await sentOf(await subscribe(from(shared), '{ text }'));
    const other = await sentOf(await subscribe(from(shared), '{ name: text }'));
    expect([...one, ...other]).toEqual([
      '{"data":{"events":{"text":"x"}}}',
      '{"data":{"events":{"name":"x"}}}',
    ]);
  });

  it('executes an event that is not shared for each, and leaves it to be sent', async () => {
    const own = { text: 'x' };
    resolved = 0;
    for (let n = 0; n < 2; n++)
      expect(await sentOf(await subscribe(from(own)))).toEqual([{ data: { events: { text: 'x' } } }]);
    expect(resolved).toBe(2);
  });

  it('keeps the order of shared and own events', async () => {
    const events = from(markShared({ text: '1' }), { text: '2' }, markShared({ text: '3' }));
    expect(await sentOf(await subscribe(events))).toEqual([
      '{"data":{"events":{"text":"1"}}}',
      { data: { events: { text: '2' } } },
      '{"data":{"events":{"text":"3"}}}',
    ]);
  });

  it('leaves a shared event that failed to be told to each on their own', async () => {
    const [result] = await sentOf(await subscribe(from(markShared({ text: 'x' })), '{ fault }'));
    expect(result).toMatchObject({ errors: [{ message: 'broken' }] });
  });

  it('passes on why a subscription cannot begin', async () => {
    const refused = await subscribe(new Error('refused'));
    expect(refused).toMatchObject({ errors: [{ message: 'refused' }] });
  });
});

describe('sendShared', () => {
  it('asks for the next event only when the last was sent', async () => {
    let asked = 0;
    const events: AsyncIterableIterator<Event> = {
      next: async () => ({ done: asked++ === 2, value: markShared({ text: 'x' }) }),
      [Symbol.asyncIterator]: () => events,
    };
    let release: (() => void) | undefined;
    const begun = new Promise<void>((hasBegun) => {
      const send = (): Promise<void> => {
        hasBegun();
        return new Promise((resolve) => (release = resolve));
      };
      void subscribe(events).then((responses) => sendShared(responses, send).next());
    });
    await begun;
    expect(asked).toBe(1);
    release?.();
  });

  it('ends the events when a message cannot be sent, and when nobody wants more', async () => {
    let ended = 0;
    async function* endless(): AsyncGenerator<Event, void, void> {
      try {
        for (;;) yield markShared({ text: 'x' });
      } finally {
        ended++;
      }
    }
    const broken = sendShared(await subscribe(endless()), () => Promise.reject(new Error('closed')));
    await expect(broken.next()).rejects.toThrow('closed');
    expect(ended).toBe(1);
    let sent = 0;
    const left = sendShared(await subscribe(endless()), async () => void (sent++ === 0 && left.return?.()));
    await left.next();
    expect([sent, ended]).toEqual([1, 2]);
  });
});
