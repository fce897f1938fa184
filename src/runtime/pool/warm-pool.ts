import { Inject, Injectable } from '@nestjs/common';
import { sleep } from '../../common/async/abort.js';
import { messageOf } from '../../common/app-error.js';
import { Bell } from '../../common/async/bell.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import type { AppConfig } from '../../config/app-config.js';
import { APP_CONFIG } from '../../config/app-config.js';
import { DEFAULT_CPUS } from '../../config/parts/limits-config.js';
import type { WarmPoolBounds } from '../../config/parts/pool-config.js';
import { LONGEST_WARM_AGE_SECONDS } from '../../config/parts/pool-config.js';
import { WorkspaceMaker } from '../../workspace/workspace-maker.js';
import { WorkspaceSpools } from '../../workspace/workspace-spools.js';
import { RuntimeHealthMonitor } from '../runtime-health.js';
import type { RuntimeProvider } from '../runtime-provider.js';
import { RUNTIME_PROVIDER } from '../runtime-provider.js';
import type { PoolStatus, WorkerTemplate } from './environment-pool.js';
import { EnvironmentPool } from './environment-pool.js';
import type { WarmWorker } from './warm-worker.js';
import { PRELOAD_SECONDS, WorkerLauncher } from './worker-launcher.js';
import type { WorkerNeed } from './worker-need.js';
import { whyNoWorkerFits } from './worker-need.js';

const LOOK_MS = 1_000;
const IMAGE_LOOK_MS = 10_000;
const LISTEN_MS = 2_000;
/** A worker waits this much longer than the pool keeps it, so that none is handed out that is about to end. */
const IDLE_MARGIN_SECONDS = 60;
const NOT_POOLED = 'There is no pool of workers for this environment.';

/**
 * Workers that wait for jobs, over any runtime. A worker has no identity until it is handed out: it is started without
 * secrets, with an empty workspace of its own and with the limits of a job that names none. It takes one job and is
 * removed with it. The caller commits a taken worker in the database before it writes the job into the worker's workspace,
 * so that no worker can be given two jobs. It gives a worker back that was certainly not committed, and discards one
 * whose commit is unknown.
 */
@Injectable()
export class WarmPool {
  private readonly pools: ReadonlyMap<string, EnvironmentPool>;
  private readonly launcher: WorkerLauncher;
  private readonly bell = new Bell();

  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    @Inject(APP_CONFIG) private readonly config: Pick<AppConfig, 'pool' | 'environments' | 'limits'>,
    private readonly health: RuntimeHealthMonitor,
    workspaces: WorkspaceMaker,
    spools: WorkspaceSpools,
  ) {
    this.launcher = new WorkerLauncher(runtime, workspaces, spools, log);
    this.pools = new Map(config.pool.pools.map((bounds) => [bounds.environment, this.makePool(bounds)]));
    health.onRecovery(() => this.bell.ring());
  }

  /** Takes a worker for the job, or tells why the job starts cold. Does not wait: with an empty pool it starts cold. */
  take(need: WorkerNeed): WarmWorker | string {
    const pool = this.pools.get(need.environment);
    if (!pool) return NOT_POOLED;
    const misfit = whyNoWorkerFits(need, this.terms, this.runtime.capabilities);
    if (misfit !== undefined) return misfit;
    return pool.take(need, Date.now());
  }

  /** The worker was committed to its job: the pool forgets it. */
  release(worker: WarmWorker): void {
    this.pools.get(worker.environment)?.release(worker.id);
  }

  /** No job was committed to the worker: it waits for another one. */
  giveBack(worker: WarmWorker): void {
    this.pools.get(worker.environment)?.giveBack(worker.id);
    this.bell.ring();
  }

  /** The worker's commit is unknown: it is removed, so that it runs neither that job nor another one. */
  async discard(worker: WarmWorker): Promise<void> {
    await this.launcher.remove(worker.id, worker.handle);
    this.release(worker);
  }

  /** Whether this server's pool has the worker of this id, on its way, waiting or taken. */
  holds(id: string): boolean {
    return [...this.pools.values()].some((pool) => pool.holds(id));
  }

  /**
   * How old a waiting worker of another server can be, milliseconds: older ones have ended by themselves. That server may
   * have another WARM_MAX_AGE_SECONDS, so this counts with the largest that is allowed.
   */
  get longestLifeMs(): number {
    const { startTimeoutSeconds } = this.runtime;
    const idleSeconds = LONGEST_WARM_AGE_SECONDS + IDLE_MARGIN_SECONDS;
    return (startTimeoutSeconds + PRELOAD_SECONDS + idleSeconds + IDLE_MARGIN_SECONDS) * 1000;
  }

  /** Names of the workloads that wait for a job. */
  get readyWorkloads(): string[] {
    return [...this.pools.values()].flatMap((pool) => pool.readyWorkloads);
  }

  status(): PoolStatus[] {
    return [...this.pools.values()].map((pool) => pool.status(Date.now()));
  }

  /** Keeps the pools filled until `signal` aborts, then takes all workers away. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.pools.size === 0) return;
    const looking = Promise.all([this.lookForNewImages(signal), this.listen(signal)]);
    while (!signal.aborted) {
      const nowMs = Date.now();
      for (const pool of this.pools.values()) {
        pool.retireAged(nowMs);
        if (this.health.isHealthy) pool.fill(nowMs, signal);
      }
      await this.bell.wait(LOOK_MS, signal);
    }
    await looking;
    await Promise.all([...this.pools.values()].map((pool) => pool.empty()));
  }

  private makePool(bounds: WarmPoolBounds): EnvironmentPool {
    const { environments, limits, pool } = this.config;
    const template: WorkerTemplate = {
      image: environments.imageOf(bounds.environment),
      ...this.terms,
      timeoutSeconds: limits.MAX_TIMEOUT_SECONDS,
      graceSeconds: limits.STOP_GRACE_SECONDS,
      idleSeconds: this.idleSeconds,
    };
    const maxAgeMs = pool.WARM_MAX_AGE_SECONDS * 1000;
    const changed = (): void => this.bell.ring();
    return new EnvironmentPool(bounds, template, maxAgeMs, this.runtime, this.launcher, this.log, changed);
  }

  /** The limits and the network of a job that asks for nothing else. */
  private get terms(): Pick<WorkerTemplate, 'limits' | 'network'> {
    const { DEFAULT_MEMORY_MB: memoryMb, MAX_PIDS: pids, MAX_TMP_BYTES: tmpBytes } = this.config.limits;
    return { limits: { memoryMb, cpus: DEFAULT_CPUS, pids, tmpBytes }, network: 'NONE' };
  }

  private get idleSeconds(): number {
    return this.config.pool.WARM_MAX_AGE_SECONDS + IDLE_MARGIN_SECONDS;
  }

  private async listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(LISTEN_MS, signal);
      for (const pool of this.pools.values()) await pool.listen();
    }
  }

  /** Retires workers whose image has been built anew: a cold start would use the new one. */
  private async lookForNewImages(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(IMAGE_LOOK_MS, signal);
      if (signal.aborted || !this.health.isHealthy) continue;
      for (const pool of this.pools.values()) await this.compareImage(pool, signal);
    }
  }

  private async compareImage(pool: EnvironmentPool, signal: AbortSignal): Promise<void> {
    try {
      const version = await this.runtime.imageVersion(pool.image, signal);
      if (version === undefined) return;
      pool.retire((worker) => (worker.imageVersion === version ? undefined : 'its image is another one now'));
      this.bell.ring();
    } catch (error) {
      if (!signal.aborted)
        this.log.debug({ err: messageOf(error) }, 'an image cannot be looked at; trying again');
    }
  }
}
