import { Global, Module } from '@nestjs/common';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import { AppConfig } from '../config/app-config.js';
import type { RuntimeChoice } from './choose-runtime.js';
import { chooseRuntime } from './choose-runtime.js';
import { installationId } from './installation-id.js';
import { RuntimeHealthMonitor } from './runtime-health.js';
import { RUNTIME_PROVIDER } from './runtime-provider.js';

/** Injection token of the `RuntimeChoice`: the runtime and why it was chosen. */
export const RUNTIME_CHOICE = Symbol('RUNTIME_CHOICE');

@Global()
@Module({
  providers: [
    {
      provide: RUNTIME_CHOICE,
      inject: [AppConfig, LOG],
      useFactory: async (config: AppConfig, log: Log): Promise<RuntimeChoice> => {
        const choice = await chooseRuntime(config, await installationId(config), log);
        log.info({ runtime: choice.runtime.name, reason: choice.reason }, 'runtime chosen');
        return choice;
      },
    },
    {
      provide: RUNTIME_PROVIDER,
      inject: [RUNTIME_CHOICE],
      useFactory: (choice: RuntimeChoice) => choice.runtime,
    },
    RuntimeHealthMonitor,
  ],
  exports: [RUNTIME_PROVIDER, RUNTIME_CHOICE, RuntimeHealthMonitor],
})
export class RuntimeModule {}
