import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigModule as NestConfigModule, ConfigService } from '@nestjs/config';
import { AppConfig } from './app-config.js';
import { loadConfig } from './load-config.js';

const VALIDATED = 'validated';

@Module({})
export class ConfigModule {
  /**
   * Provides `AppConfig` everywhere, from `variables` where given (tests), else from the environment and a `.env` file
   * in the working directory; the environment wins. Throws `ConfigError` with every fault at once.
   */
  static forRoot(variables?: Record<string, string | undefined>): DynamicModule {
    const loader = NestConfigModule.forRoot({
      ignoreEnvFile: variables !== undefined,
      validate: (found: Record<string, string>) => ({ [VALIDATED]: loadConfig(variables ?? found) }),
    });
    return {
      module: ConfigModule,
      global: true,
      imports: [loader],
      providers: [
        {
          provide: AppConfig,
          inject: [ConfigService],
          useFactory: (service: ConfigService) => service.getOrThrow<AppConfig>(VALIDATED),
        },
      ],
      exports: [AppConfig],
    };
  }
}
