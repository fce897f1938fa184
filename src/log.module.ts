import { Global, Module } from '@nestjs/common';
import { pino } from 'pino';
import type { Log } from './common/log.js';
import { LOG } from './common/log.js';
import { ServiceConfig } from './config/parts/service-config.js';

/** One JSON line per event on stdout. Synchronous, so that a crash loses none. */
@Global()
@Module({
  providers: [
    {
      provide: LOG,
      inject: [ServiceConfig],
      useFactory: (config: ServiceConfig): Log =>
        pino(
          { level: config.LOG_LEVEL, base: null, timestamp: pino.stdTimeFunctions.isoTime },
          pino.destination({ fd: 1, sync: true }),
        ),
    },
  ],
  exports: [LOG],
})
export class LogModule {}
