import { describe, expect, it } from '@jest/globals';
import { parseReadyReport } from './ready.js';

describe('what a worker says when it is ready', () => {
  it('names what was read and what could not be imported', () => {
    const failed = [{ module: 'nosuch', reason: 'not there' }];
    const text = JSON.stringify({ version: 1, environmentRead: ['HOME'], failed, heartbeatSeconds: 2 });
    expect(parseReadyReport(text)).toEqual({ environmentRead: ['HOME'], failed, hasHeartbeat: true });
  });

  it('may have less, and what is of another form counts as nothing', () => {
    const nothing = { environmentRead: [], failed: [], hasHeartbeat: false };
    expect(parseReadyReport('{"version":1}')).toEqual(nothing);
    expect(parseReadyReport('{"version":1,"environmentRead":"HOME","failed":7}')).toEqual(nothing);
  });

  it.each(['', 'no JSON', 'null', '7', '{}', '{"version":2}'])('is not %p', (text) => {
    expect(parseReadyReport(text)).toBeUndefined();
  });
});
