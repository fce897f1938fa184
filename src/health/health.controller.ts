import { Controller, Get, Res } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import type { FastifyReply } from 'fastify';
import { VERSION } from '../common/version.js';
import { Database } from '../database/database.js';
import { ExecutionService } from '../execution/execution.service.js';
import { StorageSpace } from '../jobs/retention/storage-space.js';
import { RuntimeHealthMonitor } from '../runtime/runtime-health.js';
import type { RuntimeProvider } from '../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../runtime/runtime-provider.js';
import { Inject } from '@nestjs/common';

/**
 * What probes ask. An engine that blinks neither restarts the service nor takes it out of service: jobs queue meanwhile,
 * and the body says so.
 */
@Controller('health')
export class HealthController {
  constructor(
    private readonly checks: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly database: Database,
    private readonly runtime: RuntimeHealthMonitor,
    private readonly execution: ExecutionService,
    private readonly space: StorageSpace,
    @Inject(RUNTIME_PROVIDER) private readonly provider: RuntimeProvider,
  ) {}

  /** 200 while the service can serve, also while a disk is full; 503 when its database does not answer or is damaged. */
  @Get()
  async health(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const isServing = await this.passes([() => this.checkDatabase()]);
    if (!isServing) void reply.code(503);
    return {
      status: isServing ? 'healthy' : 'unhealthy',
      version: VERSION,
      runtime: { name: this.provider.name, ...this.runtime.current },
      database: isServing ? 'up' : this.database.file?.damage ? 'damaged' : 'down',
      storage: (await this.space.shortage()) ? 'full' : 'ok',
    };
  }

  /** The process turns its event loop: all that a restart could mend. */
  @Get('live')
  live(): object {
    return { status: 'ok' };
  }

  /** Whether requests should be sent here. */
  @Get('ready')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const result = await this.check([
      () => this.checkDatabase(),
      () => this.checkDraining(),
      () => this.checkRuntimeSeen(),
    ]);
    if (result.status !== 'ok') void reply.code(503);
    return result;
  }

  private async passes(indicators: (() => Promise<HealthIndicatorResult>)[]): Promise<boolean> {
    return (await this.check(indicators)).status === 'ok';
  }

  /** Terminus throws for a failed check; here a failure is an answer. */
  private async check(indicators: (() => Promise<HealthIndicatorResult>)[]): Promise<{ status: string }> {
    try {
      return await this.checks.check(indicators);
    } catch (error) {
      return (error as { getResponse(): { status: string } }).getResponse();
    }
  }

  private async checkDatabase(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('database');
    if (this.database.file?.damage) return indicator.down({ message: 'its file is damaged' });
    return this.database.ping().then(
      () => indicator.up(),
      () => indicator.down({ message: 'does not answer' }),
    );
  }

  private async checkDraining(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('accepting');
    return this.execution.isStopping ? indicator.down({ message: 'the server is stopping' }) : indicator.up();
  }

  private async checkRuntimeSeen(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('runtime');
    const { message } = this.runtime.current;
    return this.runtime.wasEverHealthy ? indicator.up({ message }) : indicator.down({ message });
  }
}
