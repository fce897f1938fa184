import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { StorageConfig } from '../config/parts/storage-config.js';
import type { WorkspacePaths, WorkspaceRoot } from './workspace-paths.js';
import { workspacePaths } from './workspace-paths.js';

/** Where the folders of workloads are on this machine. */
@Injectable()
export class WorkspaceLayout {
  private readonly folder: string;

  constructor(config: StorageConfig) {
    this.folder = config.workspaceDir;
  }

  root(name: WorkspaceRoot): string {
    return join(this.folder, name);
  }

  paths(id: string): WorkspacePaths {
    return workspacePaths(this.folder, id);
  }
}
