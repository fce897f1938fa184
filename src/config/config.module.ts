import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigModule as NestConfigModule, ConfigService } from '@nestjs/config';
import type { AppConfig, ConfiguredRuntime } from './app-config.js';
import { APP_CONFIG, OWN_PARTS } from './app-config.js';
import { loadConfig } from './load-config.js';

const VALIDATED = 'validated';

@Module({})
export class ConfigModule {
  /**
   * Provides each part of the configuration everywhere, from `variables` where given (tests), else from the environment
   * and a `.env` file in the working directory; the environment wins. Throws `ConfigError` with every fault at once.
   */
  static forRoot(
    variables?: Record<string, string | undefined>,
    runtimes: readonly ConfiguredRuntime[] = [],
  ): DynamicModule {
    const loader = NestConfigModule.forRoot({
      ignoreEnvFile: variables !== undefined,
      validate: (found: Record<string, string>) => ({
        [VALIDATED]: loadConfig(variables ?? found, runtimes),
      }),
    });
    const parts = Object.entries(OWN_PARTS).map(([name, part]) => ({
      provide: part,
      inject: [APP_CONFIG],
      useFactory: (config: AppConfig): object => config[name as keyof typeof OWN_PARTS],
    }));
    return {
      module: ConfigModule,
      global: true,
      imports: [loader],
      providers: [
        {
          provide: APP_CONFIG,
          inject: [ConfigService],
          useFactory: (service: ConfigService) => service.getOrThrow<AppConfig>(VALIDATED),
        },
        ...parts,
      ],
      exports: [APP_CONFIG, ...Object.values(OWN_PARTS)],
    };
  }
}
