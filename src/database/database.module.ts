import { Global, Module } from '@nestjs/common';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/app-config.js';
import { DatabaseBackup } from './database-backup.js';
import { Database } from './database.js';

@Global()
@Module({
  providers: [
    DatabaseBackup,
    {
      provide: Database,
      inject: [APP_CONFIG, LOG],
      useFactory: async (config: AppConfig, log: Log): Promise<Database> => {
        const database = new Database(config);
        await database.open(log);
        return database;
      },
    },
  ],
  exports: [Database, DatabaseBackup],
})
export class DatabaseModule {}
