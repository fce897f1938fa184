import { join, resolve } from 'node:path';
import { IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { MAX_INT32 } from '../int32.js';
import { Variable } from '../variable.decorator.js';

/** The folders of this server, and how much room they must have. */
export class StorageConfig {
  static readonly title = 'Storage';

  @Variable({
    type: 'string',
    defaultText: './data',
    description: 'Folder for everything the server keeps.',
  })
  @IsString()
  DATA_DIR: string = './data';

  @Variable({
    type: 'string',
    defaultText: '$DATA_DIR/workspaces',
    description: "Folder for the jobs' inputs, outputs and logs.",
  })
  @IsOptional()
  @IsString()
  WORKSPACE_DIR?: string;

  @Variable({
    type: 'integer',
    unit: 'MiB',
    defaultText: '256',
    description:
      'Room that must be free on the disks of DATA_DIR and WORKSPACE_DIR: with less, no new job is taken (STORAGE_FULL); 0 looks at no disk.',
  })
  @IsInt()
  @Min(0)
  @Max(MAX_INT32)
  MIN_FREE_DISK_MB: number = 256;

  /** Absolute folder of everything the server keeps. */
  get dataDir(): string {
    return resolve(this.DATA_DIR);
  }

  /** Absolute folder that holds `inputs/`, `outputs/` and `logs/`. */
  get workspaceDir(): string {
    return this.WORKSPACE_DIR ? resolve(this.WORKSPACE_DIR) : join(this.dataDir, 'workspaces');
  }
}
