import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { JobsModule } from '../jobs/jobs.module.js';
import { LogsModule } from '../logs/logs.module.js';
import { BackupController } from '../http/backup.controller.js';
import { FilesController } from './files.controller.js';
import { HttpErrorsFilter } from '../http/http-errors.filter.js';
import { JobFilesService } from './job-files.service.js';

@Module({
  imports: [JobsModule, LogsModule],
  controllers: [FilesController, BackupController],
  providers: [JobFilesService, { provide: APP_FILTER, useClass: HttpErrorsFilter }],
})
export class FilesModule {}
