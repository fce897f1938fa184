import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { AuthModule } from './auth/auth.module.js';
import { ConfigModule } from './config/config.module.js';
import { DatabaseModule } from './database/database.module.js';
import { FilesModule } from './outputs/downloads/files.module.js';
import { GraphqlApiModule } from './graphql/graphql.module.js';
import { HealthModule } from './health/health.module.js';
import { HttpModule } from './http/http.module.js';
import { OutputStoreModule } from './outputs/store/output-store.module.js';
import { LogModule } from './log.module.js';
import type { RuntimeDefinition } from './runtime/runtime-definition.js';
import { RuntimeModule } from './runtime/runtime.module.js';
import { RUNTIMES } from './runtime/runtimes.js';
import { WorkspaceModule } from './workspace/workspace.module.js';

@Module({})
export class AppModule {
  /**
   * @param variables the environment to configure from; the process's own where not given
   * @param runtimes of which the configuration chooses one
   */
  static forRoot(
    variables?: Record<string, string | undefined>,
    runtimes: readonly RuntimeDefinition[] = RUNTIMES,
  ): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(variables, runtimes),
        LogModule,
        DatabaseModule,
        WorkspaceModule,
        OutputStoreModule,
        RuntimeModule.forRoot(runtimes),
        AuthModule,
        GraphqlApiModule,
        FilesModule,
        HttpModule,
        HealthModule,
      ],
    };
  }
}
