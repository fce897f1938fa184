import { Global, Module } from '@nestjs/common';
import { Workspaces } from './workspaces.js';

@Global()
@Module({ providers: [Workspaces], exports: [Workspaces] })
export class WorkspaceModule {}
