import { Module } from '@nestjs/common';
import { JobsModule } from '../jobs/jobs.module.js';
import { JobLogService } from './job-log.service.js';
import { LogResolver } from './log.resolver.js';
import { SpoolEnds } from './spool-ends.js';
import { SpoolTails } from './spool-tails.js';

@Module({
  imports: [JobsModule],
  providers: [SpoolTails, SpoolEnds, JobLogService, LogResolver],
  exports: [SpoolEnds, SpoolTails, JobLogService],
})
export class LogsModule {}
