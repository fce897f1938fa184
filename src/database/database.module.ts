import { Global, Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { Database } from './database.js';

@Global()
@Module({
  providers: [
    {
      provide: Database,
      inject: [AppConfig],
      useFactory: async (config: AppConfig): Promise<Database> => {
        const database = new Database(config);
        await database.migrate();
        return database;
      },
    },
  ],
  exports: [Database],
})
export class DatabaseModule {}
