import { describe, expect, it } from '@jest/globals';
import type { Log } from '../../common/log.js';
import type { ClaimRepository } from '../../jobs/store/claim.repository.js';
import type { RunningAttempts } from '../attempt/running-attempts.js';
import type { AdoptionPolicy } from './adoption-policy.js';
import type { AttemptResumer } from './attempt-resumer.js';
import { Recovery } from './recovery.js';

describe('looking for jobs to adopt', () => {
  it('takes no notice of the leases of predecessors until their jobs have been read once', async () => {
    const asked: (string | undefined)[] = [];
    const adoptable = (_: string, predecessors?: string): Promise<never[]> => {
      asked.push(predecessors);
      return asked.length === 1 ? Promise.reject(new Error('away')) : Promise.resolve([]);
    };
    const recovery = new Recovery(
      {} as Log,
      { adoptable } as unknown as ClaimRepository,
      { id: 'a/2', predecessors: 'a/%' },
      {} as AdoptionPolicy,
      {} as RunningAttempts,
      {} as AttemptResumer,
    );
    const { signal } = new AbortController();
    await expect(recovery.adoptAll(signal)).rejects.toThrow('away');
    await recovery.adoptAll(signal);
    await recovery.adoptAll(signal);
    expect(asked).toEqual(['a/%', 'a/%', undefined]);
  });
});
