import { setMaxListeners } from 'node:events';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { Inject, Injectable } from '@nestjs/common';
import { settledWithin } from '../common/async/abort.js';
import { WarmPool } from '../runtime/pool/warm-pool.js';
import type { RuntimeProvider } from '../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../runtime/runtime-provider.js';
import { RuntimeHealthMonitor } from '../runtime/runtime-health.js';
import { WorkspaceMaker } from '../workspace/workspace-maker.js';
import { Dispatcher } from './admission/dispatcher.js';
import { ExecutionLoops } from './execution-loops.js';
import { RunningAttempts } from './attempt/running-attempts.js';

/** How long a stopping server waits for writes that are under way. Jobs themselves are left running. */
const STOP_PATIENCE_MS = 5_000;

/** How long it waits for idle workers to be removed. Those left over end by themselves, or the next server removes them. */
const POOL_PATIENCE_MS = 10_000;

/** How long it waits for the runtime to close. The engine may be silent; what it was asked to do stays asked. */
const CLOSE_PATIENCE_MS = 5_000;

/** Starts and stops everything that runs jobs. */
@Injectable()
export class ExecutionService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  private loops: Promise<unknown> = Promise.resolve();
  private filling: Promise<unknown> = Promise.resolve();

  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    private readonly health: RuntimeHealthMonitor,
    private readonly workspaces: WorkspaceMaker,
    private readonly dispatcher: Dispatcher,
    private readonly background: ExecutionLoops,
    private readonly running: RunningAttempts,
    private readonly pool: WarmPool,
  ) {
    // Everything that runs listens to this signal.
    setMaxListeners(0, this.stopping.signal);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.workspaces.prepare();
    await this.health.begin();
    const { signal } = this.stopping;
    // Not awaited: while the database is away the service lives, and reports that it is not ready.
    const recovered = this.background.recover(signal);
    this.loops = recovered.then(() =>
      Promise.all([this.dispatcher.dispatch(signal), this.background.run(signal)]),
    );
    this.filling = recovered.then(() => this.pool.run(signal));
  }

  /** True from SIGTERM on. */
  get isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort(new Error('the server is stopping'));
    await Promise.all([
      settledWithin(Promise.all([this.loops, this.running.drained()]), STOP_PATIENCE_MS),
      settledWithin(this.filling, POOL_PATIENCE_MS),
    ]);
    await settledWithin(this.runtime.close(), CLOSE_PATIENCE_MS);
  }
}
