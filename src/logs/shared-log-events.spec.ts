import { describe, expect, it } from '@jest/globals';
import { isShared } from '../common/async/shared-events.js';
import type { Job } from '../jobs/record/job.js';
import type { JobLogStep } from './job-log.service.js';
import { toSharedLogEvent } from './shared-log-events.js';
import { toLogEvent } from './to-log-models.js';

function step(more: Partial<JobLogStep> = {}): JobLogStep {
  const chunks = [
    { seq: 1, atMs: 0, stream: 'STDOUT' as const, text: 'x\n', droppedBytes: null, endOffset: 26 },
  ];
  return { attempt: 1, chunks, isShared: true, damage: null, job: null, ...more };
}

describe('toSharedLogEvent', () => {
  it('makes one event for all who are given the same chunks', () => {
    const given = step();
    const event = toSharedLogEvent(given);
    expect(event).toEqual(toLogEvent(given));
    expect(isShared(event)).toBe(true);
    expect(toSharedLogEvent({ ...given })).toBe(event);
    expect(toSharedLogEvent(step())).not.toBe(event);
  });

  it('shares no event that tells more than the chunks, nor one for a single follower', () => {
    const given = step();
    toSharedLogEvent(given);
    const damaged = toSharedLogEvent({ ...given, damage: 'cut' });
    expect(damaged.damage).toBe('cut');
    const last = toSharedLogEvent({ ...given, job: { id: 'x' } as Job });
    expect(last.job).not.toBeNull();
    const alone = toSharedLogEvent({ ...given, isShared: false });
    expect(alone).toEqual(toLogEvent(given));
    expect([damaged, last, alone].some(isShared)).toBe(false);
  });
});
