import { describe, expect, it } from '@jest/globals';
import { GraphQLError, buildSchema } from 'graphql';
import { SubscriptionDocuments } from './subscription-documents.js';

const schema = buildSchema(`
  type Query { a: Int }
  type Event { text(upper: Boolean): String size: Int }
  type Subscription { events(id: ID!, after: String): Event }
`);

function keys(text: string, ...variables: unknown[]): Set<string> {
  const documents = new SubscriptionDocuments(schema);
  return new Set(variables.map((each) => documents.read(text).shareKey(undefined, each)));
}

describe('SubscriptionDocuments', () => {
  it('parses a text once for all who send it', () => {
    const documents = new SubscriptionDocuments(schema);
    const text = 'subscription { events(id: 1) { text } }';
    expect(documents.read(text)).toBe(documents.read(text));
  });

  it('refuses what is not valid, each time', () => {
    const documents = new SubscriptionDocuments(schema);
    const read = (): unknown => documents.read('subscription { events(id: 1) { nothing } }');
    expect(read).toThrow(GraphQLError);
    expect(read).toThrow('Cannot query field "nothing"');
    expect(() => documents.read('subscription {')).toThrow('Syntax Error');
  });

  it('forgets the texts that were not sent for longest', () => {
    const documents = new SubscriptionDocuments(schema);
    const text = (n: number): string => `subscription { events(id: ${n}) { text } }`;
    const first = documents.read(text(0));
    const second = documents.read(text(1));
    for (let n = 2; n < 50; n++) documents.read(text(n));
    expect(documents.read(text(0))).toBe(first);
    documents.read(text(50));
    expect(documents.read(text(0))).toBe(first);
    expect(documents.read(text(1))).not.toBe(second);
  });

  it('keeps no long texts', () => {
    const documents = new SubscriptionDocuments(schema);
    const text = `subscription { events(id: 1) { text } } # ${'x'.repeat(2_048)}`;
    expect(documents.read(text)).not.toBe(documents.read(text));
  });

  it('gives one key to those who differ only in which events they get', () => {
    const text = 'subscription ($id: ID!, $after: String) { events(id: $id, after: $after) { text } }';
    expect(keys(text, { id: 1 }, { id: 1, after: 'x' }, undefined).size).toBe(1);
  });

  it.each([
    ['an argument', 'events(id: 1) { text(upper: $v) }', ''],
    ['a directive of a field', 'events(id: 1) { text @include(if: $v) size }', ''],
    ['a fragment', 'events(id: 1) { ...F }', 'fragment F on Event { text(upper: $v) }'],
  ])('gives different keys to those whose variables show something else: %s', (_, selection, fragment) => {
    const text = `subscription ($v: Boolean!) { ${selection} } ${fragment}`;
    expect(keys(text, { v: true }, { v: false }, { v: true }).size).toBe(2);
  });

  it('gives different keys to different texts and to different operations of one', () => {
    const documents = new SubscriptionDocuments(schema);
    const one = documents.read('subscription { events(id: 1) { text } }');
    const other = documents.read('subscription { events(id: 1) { size } }');
    expect(one.shareKey(null, null)).not.toBe(other.shareKey(null, null));
    expect(one.shareKey('A', null)).not.toBe(one.shareKey('B', null));
  });
});
