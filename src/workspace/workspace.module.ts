import { Global, Module } from '@nestjs/common';
import { OutputCollector } from './output-collector.js';
import { Workspaces } from './workspaces.js';

@Global()
@Module({ providers: [Workspaces, OutputCollector], exports: [Workspaces, OutputCollector] })
export class WorkspaceModule {}
