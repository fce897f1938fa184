import { describe, expect, it } from '@jest/globals';
import type { Database } from '../../database/database.js';
import type { Log } from '../../common/log.js';
import { loadConfig } from '../../config/load-config.js';
import { FakeRuntime } from '../../../test/support/runtimes/fake/fake.runtime.js';
import { newWorkerId, workerWorkload } from '../../runtime/pool/warm-worker.js';
import { WarmPool } from '../../runtime/pool/warm-pool.js';
import { RuntimeHealthMonitor } from '../../runtime/runtime-health.js';
import type { WorkloadSummary } from '../../runtime/runtime-provider.js';
import { WorkspaceLayout } from '../../workspace/workspace-layout.js';
import { WorkspaceMaker } from '../../workspace/workspace-maker.js';
import { WorkspaceSpools } from '../../workspace/workspace-spools.js';
import { WorkerStrays } from './worker-strays.js';

const GRACE_MS = 120_000;
const HOUR_MS = 3_600_000;

function strays(isShared: boolean): WorkerStrays {
  const config = loadConfig({ WARM_POOL: 'default=1', WARM_MAX_AGE_SECONDS: '10' });
  const runtime = new FakeRuntime();
  const health = new RuntimeHealthMonitor(runtime);
  const layout = new WorkspaceLayout(config.storage);
  const pool = new WarmPool(
    runtime,
    {} as Log,
    config,
    health,
    new WorkspaceMaker(layout),
    new WorkspaceSpools(layout),
  );
  return new WorkerStrays(pool, { isShared } as Database);
}

function seen(
  state: WorkloadSummary['state'],
  ageMs: number,
  name = workerWorkload(newWorkerId()),
): WorkloadSummary {
  return { handle: '', name, jobId: null, attempt: null, state, createdAtMs: Date.now() - ageMs };
}

describe('which workers nobody waits with any more', () => {
  it.each([
    ['one that may wait for another server, whose workers may wait longer', 'running', HOUR_MS, false],
    ['one that is just being made', 'created', 10_000, false],
    ['one that cannot wait any more', 'running', 25 * HOUR_MS, true],
    ['one that has ended', 'ended', GRACE_MS + 1_000, true],
    ['one that has just ended', 'ended', GRACE_MS - 10_000, false],
  ] as const)('where servers share a database: %s', (_, state, ageMs, isStray) => {
    expect(strays(true).verdictOnWorkload(seen(state, ageMs), GRACE_MS)).toBe(isStray);
  });

  it('where the database is this server’s: every one but its own', () => {
    const own = newWorkerId();
    const pool = { holds: (id: string) => id === own } as WarmPool;
    const sweeper = new WorkerStrays(pool, { isShared: false } as Database);
    expect(sweeper.verdictOnWorkload(seen('running', 0), GRACE_MS)).toBe(true);
    expect(sweeper.verdictOnWorkload(seen('running', 0, workerWorkload(own)), GRACE_MS)).toBe(false);
  });

  it('says nothing of other workloads', () => {
    expect(strays(true).verdictOnWorkload(seen('running', HOUR_MS, 'runner-1'), GRACE_MS)).toBeUndefined();
  });

  it('lets folders of workers be for as long, where servers share a database', () => {
    const id = newWorkerId();
    expect(strays(true).graceMs(id, GRACE_MS)).toBeGreaterThan(24 * HOUR_MS);
    expect(strays(true).graceMs('a-job', GRACE_MS)).toBe(GRACE_MS);
    expect(strays(false).graceMs(id, GRACE_MS)).toBe(GRACE_MS);
  });
});
