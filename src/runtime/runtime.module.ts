import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/app-config.js';
import { WorkspaceMaker } from '../workspace/workspace-maker.js';
import type { RuntimeChoice } from './choose-runtime.js';
import { chooseRuntime } from './choose-runtime.js';
import { installationId } from './installation-id.js';
import type { RuntimeDefinition } from './runtime-definition.js';
import { RuntimeHealthMonitor } from './runtime-health.js';
import { RUNTIME_PROVIDER } from './runtime-provider.js';

/** Injection token of the `RuntimeChoice`: the runtime and why it was chosen. */
export const RUNTIME_CHOICE = Symbol('RUNTIME_CHOICE');

@Module({})
export class RuntimeModule {
  /** Provides the one of `runtimes` that the configuration chooses. */
  static forRoot(runtimes: readonly RuntimeDefinition[]): DynamicModule {
    const choose = async (
      config: AppConfig,
      workspaces: WorkspaceMaker,
      log: Log,
    ): Promise<RuntimeChoice> => {
      const { storage, service, environments, secrets } = config;
      const choice = await chooseRuntime(runtimes, config, {
        installationId: await installationId(service, storage),
        storage,
        workspaces,
        defaultImage: environments.RUNNER_IMAGE,
        secrets: secrets.values,
        isProduction: service.isProduction,
        log,
      });
      log.info({ runtime: choice.runtime.name, reason: choice.reason }, 'runtime chosen');
      return choice;
    };
    return {
      module: RuntimeModule,
      global: true,
      providers: [
        { provide: RUNTIME_CHOICE, inject: [APP_CONFIG, WorkspaceMaker, LOG], useFactory: choose },
        {
          provide: RUNTIME_PROVIDER,
          inject: [RUNTIME_CHOICE],
          useFactory: (choice: RuntimeChoice) => choice.runtime,
        },
        RuntimeHealthMonitor,
      ],
      exports: [RUNTIME_PROVIDER, RUNTIME_CHOICE, RuntimeHealthMonitor],
    };
  }
}
