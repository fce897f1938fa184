import { describe, expect, it } from '@jest/globals';
import type { RuntimeCapabilities } from '../runtime-provider.js';
import type { WorkerNeed } from './worker-need.js';
import { whyNoWorkerFits } from './worker-need.js';

const LIMITS = { memoryMb: 1024, cpus: 1, pids: 256, tmpBytes: 1 };
const TERMS = { limits: LIMITS, network: 'NONE' } as const;
const ALL: RuntimeCapabilities = {
  networkIsolation: true,
  filesystemIsolation: true,
  processIsolation: true,
  memoryLimit: 'cgroup',
  pidsLimit: 'cgroup',
  cpuLimit: true,
  tmpLimit: true,
  outlivesServer: true,
  images: true,
};

function why(more: Partial<WorkerNeed>, capabilities: Partial<RuntimeCapabilities> = {}): string | undefined {
  const need = {
    environment: 'default',
    limits: LIMITS,
    network: 'NONE',
    env: [],
    secrets: [],
    ...more,
  } as const;
  return whyNoWorkerFits(need, TERMS, { ...ALL, ...capabilities });
}

describe('a job is for a worker', () => {
  it('when it asks for nothing but what comes with its order', () => {
    expect(why({ env: ['CITY', 'DEBUG'] })).toBeUndefined();
  });

  it.each([
    ['secrets', { secrets: ['KEY'] }, /secrets/],
    [
      'a variable read at the start',
      { env: ['A', 'OMP_NUM_THREADS', 'PYTHONPATH'] },
      /OMP_NUM_THREADS, PYTHONPATH/,
    ],
    ['the network', { network: 'INTERNET' as const }, /INTERNET/],
    ['more memory', { limits: { ...LIMITS, memoryMb: 2048 } }, /2048 MiB; workers have 1024 MiB/],
    ['less memory', { limits: { ...LIMITS, memoryMb: 128 } }, /128 MiB/],
    ['more CPUs', { limits: { ...LIMITS, cpus: 2 } }, /2 CPUs; workers have 1/],
  ])('but not when it asks for %s', (_, more, expected) => {
    expect(why(more)).toMatch(expected);
  });

  it('when it asks for limits that the runtime does not hold, or that the runner holds', () => {
    const limits = { ...LIMITS, memoryMb: 2048, cpus: 4 };
    expect(why({ limits }, { memoryLimit: 'perProcess', cpuLimit: false })).toBeUndefined();
    expect(why({ network: 'INTERNET' }, { networkIsolation: false })).toBeUndefined();
  });
});
