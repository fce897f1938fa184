import { Global, Module } from '@nestjs/common';
import { WorkspaceLayout } from './workspace-layout.js';
import { WorkspaceMaker } from './workspace-maker.js';
import { WorkspaceOrders } from './workspace-orders.js';
import { WorkspaceSpools } from './workspace-spools.js';
import { WorkspaceUpkeep } from './workspace-upkeep.js';

const PARTS = [WorkspaceLayout, WorkspaceMaker, WorkspaceOrders, WorkspaceSpools, WorkspaceUpkeep];

@Global()
@Module({ providers: PARTS, exports: PARTS })
export class WorkspaceModule {}
