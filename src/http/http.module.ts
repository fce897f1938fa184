import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { BackupController } from './backup.controller.js';
import { HttpErrorsFilter } from './http-errors.filter.js';

/** What all plain HTTP routes have in common, and the backup. */
@Module({
  controllers: [BackupController],
  providers: [{ provide: APP_FILTER, useClass: HttpErrorsFilter }],
})
export class HttpModule {}
