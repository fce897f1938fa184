import { Global, Module } from '@nestjs/common';
import { pino } from 'pino';
import type { Log } from './common/log.js';
import { LOG } from './common/log.js';
import { AppConfig } from './config/app-config.js';

/** One JSON line per event on stdout. Synchronous, so that a crash loses none. */
@Global()
@Module({
  providers: [
    {
      provide: LOG,
      inject: [AppConfig],
      useFactory: (config: AppConfig): Log =>
        pino(
          { level: config.LOG_LEVEL, base: null, timestamp: pino.stdTimeFunctions.isoTime },
          pino.destination({ fd: 1, sync: true }),
        ),
    },
  ],
  exports: [LOG],
})
export class LogModule {}
