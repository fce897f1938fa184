import { Module } from '@nestjs/common';
import { JobsModule } from '../../jobs/jobs.module.js';
import { LogsModule } from '../../logs/logs.module.js';
import { FilesController } from './files.controller.js';
import { JobFilesService } from './job-files.service.js';

@Module({
  imports: [JobsModule, LogsModule],
  controllers: [FilesController],
  providers: [JobFilesService],
})
export class FilesModule {}
