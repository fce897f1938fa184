import type { OnApplicationShutdown } from '@nestjs/common';
import { Inject, Injectable } from '@nestjs/common';
import { SingleFlight } from '../common/async/single-flight.js';
import type { RuntimeHealth, RuntimeProvider } from './runtime-provider.js';
import { RUNTIME_PROVIDER } from './runtime-provider.js';

const LOOK_MS = 5_000;
const LOOK_WHILE_AWAY_MS = 500;

/** Whether the engine answered last, known without asking it: for the queue, `/health` and the API. */
@Injectable()
export class RuntimeHealthMonitor implements OnApplicationShutdown {
  private last: RuntimeHealth = { healthy: false, message: 'not asked yet' };
  private hasBeenHealthy = false;
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;
  private readonly looking = new SingleFlight(() => this.look());
  private readonly listeners = new Set<() => void>();

  constructor(@Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider) {}

  get isHealthy(): boolean {
    return this.last.healthy;
  }

  /** It has answered at least once since this server started. */
  get wasEverHealthy(): boolean {
    return this.hasBeenHealthy;
  }

  get current(): RuntimeHealth {
    return this.last;
  }

  /** Asks now, and from then on regularly. */
  async begin(): Promise<void> {
    await this.looking.run();
  }

  /** A call has just failed: ask at once instead of at the next turn. */
  suspect(): void {
    void this.looking.run();
  }

  /** Calls `listener` whenever the engine answers again. */
  onRecovery(listener: () => void): void {
    this.listeners.add(listener);
  }

  onApplicationShutdown(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  private look(): Promise<void> {
    return this.ask().finally(() => this.schedule());
  }

  private async ask(): Promise<void> {
    const wasHealthy = this.last.healthy;
    this.last = await this.runtime.checkHealth();
    this.hasBeenHealthy ||= this.last.healthy;
    if (this.last.healthy && !wasHealthy) for (const listener of this.listeners) listener();
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.isStopped) return;
    this.timer = setTimeout(
      () => void this.looking.run(),
      this.last.healthy ? LOOK_MS : LOOK_WHILE_AWAY_MS,
    ).unref();
  }
}
