import { Inject } from '@nestjs/common';
import { Query, Resolver } from '@nestjs/graphql';
import { Caller } from '../common/caller.decorator.js';
import type { Principal } from '../common/principal.js';
import { VERSION } from '../common/version.js';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/app-config.js';
import { OrphanSweeper } from '../execution/upkeep/orphan-sweeper.js';
import { MAX_INPUT_FILES_BYTES, MAX_REQUEST_BYTES, MAX_SCRIPT_BYTES } from '../jobs/record/job-limits.js';
import { JobRepository } from '../jobs/store/job.repository.js';
import type { RuntimeChoice } from '../runtime/choose-runtime.js';
import { WarmPool } from '../runtime/pool/warm-pool.js';
import { RuntimeHealthMonitor } from '../runtime/runtime-health.js';
import { RUNTIME_CHOICE } from '../runtime/runtime.module.js';
import type { ServiceLimits, ServicePool, ServiceQueue } from './service.model.js';
import { Environment, Service } from './service.model.js';

@Resolver(() => Service)
export class ServiceResolver {
  constructor(
    @Inject(APP_CONFIG)
    private readonly config: Pick<AppConfig, 'environments' | 'execution' | 'limits' | 'secrets'>,
    @Inject(RUNTIME_CHOICE) private readonly choice: RuntimeChoice,
    private readonly health: RuntimeHealthMonitor,
    private readonly jobs: JobRepository,
    private readonly sweeper: OrphanSweeper,
    private readonly pool: WarmPool,
  ) {}

  @Query(() => [Environment], { description: 'The environments a job may name.' })
  environments(): Environment[] {
    return [...this.config.environments.all].map(([name, image]) => ({ name, image }));
  }

  @Query(() => Service, { description: 'This service: what it runs on and what it allows.' })
  async service(@Caller() caller: Principal): Promise<Service> {
    const { runtime, reason } = this.choice;
    return {
      version: VERSION,
      runtime: { name: runtime.name, ...this.health.current, reason, capabilities: runtime.capabilities },
      isolation: this.isolation(),
      queue: await this.queue(caller),
      pool: this.poolStatus(),
      sweeper: this.sweeper.removed,
      limits: this.limits(),
      secrets: this.config.secrets.JOB_SECRETS,
    };
  }

  private poolStatus(): ServicePool {
    const environments = this.pool.status();
    return { ready: environments.reduce((sum, { ready }) => sum + ready, 0), environments };
  }

  private isolation(): string {
    const { capabilities } = this.choice.runtime;
    if (!capabilities.filesystemIsolation) return 'none';
    // What has no images runs this machine's own interpreter.
    return capabilities.images ? 'container' : 'sandbox';
  }

  private async queue(caller: Principal): Promise<ServiceQueue> {
    const counts = await this.jobs.countByState(caller);
    return {
      queued: counts.get('QUEUED') ?? 0,
      running: (counts.get('STARTING') ?? 0) + (counts.get('RUNNING') ?? 0),
      maxQueued: this.config.execution.MAX_QUEUED_JOBS,
      maxConcurrent: this.config.execution.MAX_CONCURRENT_JOBS,
    };
  }

  private limits(): ServiceLimits {
    const { limits } = this.config;
    return {
      maxScriptBytes: MAX_SCRIPT_BYTES,
      maxRequestBytes: MAX_REQUEST_BYTES,
      maxInputFilesBytes: MAX_INPUT_FILES_BYTES,
      defaultTimeoutSeconds: limits.DEFAULT_TIMEOUT_SECONDS,
      maxTimeoutSeconds: limits.MAX_TIMEOUT_SECONDS,
      defaultMemoryMb: limits.DEFAULT_MEMORY_MB,
      maxMemoryMb: limits.MAX_MEMORY_MB,
      maxCpus: limits.MAX_CPUS,
      maxLogBytes: limits.MAX_LOG_BYTES,
      maxOutputBytes: limits.MAX_OUTPUT_BYTES,
    };
  }
}
