import { describe, expect, it } from '@jest/globals';
import { expectSample } from './samples.js';

const text = { language: 'text', isOfSameFields: false };
const json = { language: 'json', isOfSameFields: false };
const sameFields = { language: 'json', isOfSameFields: true };

describe('a sample', () => {
  it('is what was printed, but for what stands behind a …', () => {
    expect(() => expectSample('job 17 (ran)\n', 'job … (ran)', text)).not.toThrow();
    expect(() => expectSample('job 17 (ran)\n', 'job … (failed)', text)).toThrow('The page shows:');
  });

  it('in JSON has the same values, in any layout', () => {
    const printed = '{"b":[{"id":"0192"}],"a":null}';
    expect(() => expectSample(printed, '{ "a": null, "b": [{ "id": "…" }] }', json)).not.toThrow();
    for (const wrong of ['{ "a": null }', '{ "a": 0, "b": [{ "id": "…" }] }', '{ "a": null, "b": [] }'])
      expect(() => expectSample(printed, wrong, json)).toThrow('The page shows:');
  });

  it('of same fields in JSON has the same names', () => {
    const printed = '{"a":1,"b":[{"c":1},{"c":2}]}';
    expect(() => expectSample(printed, '{"a":null,"b":[{"c":0}]}', sameFields)).not.toThrow();
    expect(() => expectSample(printed, '{"a":null,"b":[{"d":0}]}', sameFields)).toThrow('The page shows:');
    expect(() => expectSample(printed, '{"a":null}', sameFields)).toThrow('The page shows:');
  });
});
