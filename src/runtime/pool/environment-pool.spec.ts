import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Log } from '../../common/log.js';
import type { RuntimeProvider, WorkloadExit } from '../runtime-provider.js';
import { WorkloadStartError } from '../runtime.errors.js';
import { EnvironmentPool } from './environment-pool.js';
import type { WarmWorker } from './warm-worker.js';
import { workerWorkload } from './warm-worker.js';
import type { LaunchedWorker, WorkerLauncher, WorkerSpec } from './worker-launcher.js';
import type { WorkerNeed } from './worker-need.js';

const MAX_AGE_MS = 600_000;
const ENDED: WorkloadExit = { kind: 'exited', exitCode: 123, oomKilled: false };
const LIMITS = { memoryMb: 1024, cpus: 1, pids: 256, tmpBytes: 1 };
const NEED: WorkerNeed = { environment: 'default', limits: LIMITS, network: 'NONE', env: [], secrets: [] };

/** Makes workers when the test says so, and ends them. */
class FakeWorkers {
  readonly removed: string[] = [];
  readonly ends = new Map<string, (exit: WorkloadExit) => void>();
  environmentRead: string[] = [];
  private readonly launches: {
    id: string;
    settle: (launched: LaunchedWorker) => void;
    fail: (why: Error) => void;
  }[] = [];

  readonly launcher = {
    launch: ({ id }: WorkerSpec) =>
      new Promise<LaunchedWorker>((settle, fail) => this.launches.push({ id, settle, fail })),
    remove: async (id: string) => void this.removed.push(id),
    touchedAtMs: async (id: string) => this.touches.get(id),
  } as unknown as WorkerLauncher;

  /** When each worker showed last that it is alive. */
  readonly touches = new Map<string, number>();

  readonly runtime = {
    wait: (handle: string, signal: AbortSignal) =>
      new Promise<WorkloadExit>((resolve, reject) => {
        this.ends.set(handle, resolve);
        signal.addEventListener('abort', () => {
          this.ends.delete(handle);
          reject(signal.reason as Error);
        });
      }),
  } as unknown as RuntimeProvider;

  get starting(): string[] {
    return this.launches.map(({ id }) => id);
  }

  async finishAll(): Promise<void> {
    for (const { id, settle } of this.launches.splice(0)) {
      settle({ worker: this.worker(id), report: { environmentRead: [], failed: [], hasHeartbeat: true } });
    }
    await settled();
  }

  async failAll(why: Error): Promise<void> {
    for (const { fail } of this.launches.splice(0)) fail(why);
    await settled();
  }

  private worker(id: string): WarmWorker {
    return {
      id,
      workload: workerWorkload(id),
      handle: id,
      key: 'key',
      environment: 'default',
      readySinceMs: Date.now(),
      imageVersion: 'first',
      environmentRead: new Set(this.environmentRead),
    };
  }
}

/** Lets what has been resolved go on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('the pool of an environment', () => {
  let workers: FakeWorkers;
  let pool: EnvironmentPool;
  let logged: object[];
  const note = (fields: object): void => void logged.push(fields);
  const log = { debug: note, info: note, warn: note } as unknown as Log;
  const stop = new AbortController().signal;

  beforeEach(() => {
    workers = new FakeWorkers();
    logged = [];
    const bounds = { environment: 'default', min: 2, max: 4, preload: undefined };
    const template = {
      image: 'i',
      limits: LIMITS,
      network: 'NONE',
      timeoutSeconds: 1,
      graceSeconds: 1,
      idleSeconds: 1,
    };
    pool = new EnvironmentPool(
      bounds,
      template as never,
      MAX_AGE_MS,
      workers.runtime,
      workers.launcher,
      log,
      () => undefined,
    );
  });

  /** Two workers are ready, the first one first. */
  const filled = async (): Promise<string[]> => {
    pool.fill(Date.now(), stop);
    const ids = workers.starting;
    await workers.finishAll();
    return ids;
  };
  const take = (more: Partial<WorkerNeed> = {}, inMs = 0): string => {
    const taken = pool.take({ ...NEED, ...more }, Date.now() + inMs);
    return typeof taken === 'string' ? taken : taken.id;
  };

  it('gives the one that has waited longest, each once, and holds none of them any more', async () => {
    const ids = await filled();
    expect([take(), take(), take()]).toEqual([...ids, 'No worker was ready.']);
    // Until it is known whether their jobs are committed.
    expect(ids.map((id) => pool.holds(id))).toEqual([true, true]);
    for (const id of ids) pool.release(id);
    expect(ids.map((id) => pool.holds(id))).toEqual([false, false]);
    expect(pool.status(Date.now())).toMatchObject({ ready: 0, hits: 2, misses: 1 });
    // Nor does it wait for their ends.
    expect(workers.ends.size).toBe(0);
  });

  it('takes one back whose job was not committed, and watches it again', async () => {
    const [first, second] = await filled();
    expect(take()).toBe(first);
    pool.giveBack(first!);
    expect(pool.status(Date.now())).toMatchObject({ ready: 2, hits: 0, misses: 0 });
    expect([take(), take()]).toEqual([second, first]);
    pool.giveBack(first!);
    workers.ends.get(first!)!(ENDED);
    await settled();
    expect(workers.removed).toEqual([first]);
    pool.giveBack(first!);
    expect(pool.status(Date.now()).ready).toBe(0);
  });

  it('takes away one that is given back after the pool was emptied', async () => {
    const [first, second] = await filled();
    expect(take()).toBe(first);
    await pool.empty();
    pool.giveBack(first!);
    await settled();
    expect(workers.removed).toEqual([second, first]);
  });

  it('gives none that may have ended by itself while the server was paused', async () => {
    await filled();
    expect(take({}, MAX_AGE_MS + 1_000)).toBe('No worker was ready.');
    pool.retireAged(Date.now() + MAX_AGE_MS + 1_000);
    await settled();
    expect(workers.removed).toHaveLength(2);
  });

  it('takes away a worker that shows no sign of life for a while, and gives it to nobody before', async () => {
    let passedMs = 0;
    const beganAtMs = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => beganAtMs + passedMs);
    const [hung, alive] = await filled();
    for (; passedMs < 30_000; passedMs += 2_000) {
      workers.touches.set(hung!, Math.min(passedMs, 4_000)).set(alive!, passedMs);
      await pool.listen();
    }
    expect(workers.removed).toEqual([hung]);
    expect(logged).toContainEqual({ worker: workerWorkload(hung!) });
    passedMs += 25_000; // and nobody listened
    expect(take()).toBe('No worker was ready.');
    workers.touches.set(alive!, passedMs);
    await pool.listen();
    expect(take()).toBe(alive);
    jest.restoreAllMocks();
  });

  it('keeps its workers from jobs that set what they have read, and neither counts them nor grows by them', async () => {
    workers.environmentRead = ['CITY'];
    await filled();
    for (let n = 0; n < 50; n++) expect(take({ env: ['CITY', 'ZOOM'] })).toMatch(/The job sets CITY, which/);
    expect(pool.status(Date.now())).toMatchObject({ target: 2, ready: 2, hits: 0, misses: 0 });
  });

  it('tries again soon after all workers have ended together', async () => {
    await filled();
    for (const end of workers.ends.values()) end(ENDED);
    await settled();
    const nowMs = Date.now();
    expect(pool.status(nowMs)).toMatchObject({ ready: 0, message: expect.stringContaining('123') });
    expect(workers.removed).toHaveLength(2);
    pool.fill(nowMs, stop);
    expect(workers.starting).toEqual([]);
    pool.fill(nowMs + 1_100, stop);
    expect(workers.starting).toHaveLength(1);
    await workers.finishAll();
    expect(pool.status(nowMs).message).toBeUndefined();
  });

  it('fills up also when the clock is set back after a worker was taken', async () => {
    await filled();
    take({}, 1_000);
    pool.fill(Date.now() + 1_000, stop);
    expect(workers.starting).toEqual([]);
    pool.fill(Date.now() - 3_600_000, stop);
    expect(workers.starting).toHaveLength(1);
  });

  it('says why no worker comes up, and that a job missed one', async () => {
    pool.fill(Date.now(), stop);
    expect(workers.starting).toHaveLength(2);
    await workers.failAll(new WorkloadStartError({ kind: 'failed', message: 'no room', retryable: true }));
    expect(take()).toBe('No worker was ready.');
    expect(pool.status(Date.now())).toMatchObject({ starting: 0, misses: 1, message: 'no room' });
  });

  it('shows no path of the server', async () => {
    pool.fill(Date.now(), stop);
    await workers.failAll(new Error("ENOSPC: no space left on device, mkdir '/srv/data/inputs/w-1'"));
    expect(pool.status(Date.now()).message).toBe(
      'A worker could not be made; the log of the server says why.',
    );
    expect(logged[0]).toMatchObject({ err: expect.stringContaining('/srv/data') });
  });

  it('takes all away in the end, also one that was on its way', async () => {
    const stopping = new AbortController();
    const ids = await filled();
    take();
    pool.fill(Date.now(), stopping.signal);
    const [late] = workers.starting;
    stopping.abort();
    const gone = pool.empty();
    await workers.finishAll();
    await gone;
    expect(workers.removed).toEqual([ids[1], late]);
    expect(pool.readyWorkloads).toEqual([]);
  });
});
