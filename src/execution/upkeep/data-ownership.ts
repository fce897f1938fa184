import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { writeOnce } from '../../common/write-once.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { StorageConfig } from '../../config/parts/storage-config.js';
import { Database } from '../../database/database.js';

/** In `outputs/`, which must not be lost: on Kubernetes the folder above is not a volume and is read-only. */
const MARK = join('outputs', '.database-id');

/**
 * Whether the folders belong to the database. A server that was pointed at another database knows none of the jobs whose
 * outputs lie there, and would sweep all of them away as orphans. The first database to use the folders signs them.
 */
@Injectable()
export class DataOwnership {
  private known: boolean | undefined;

  constructor(
    private readonly config: StorageConfig,
    private readonly database: Database,
    @Inject(LOG) private readonly log: Log,
  ) {}

  async isOurs(): Promise<boolean> {
    this.known ??= await this.compare();
    return this.known;
  }

  private async compare(): Promise<boolean> {
    const ours = await this.database.identity();
    const path = join(this.config.workspaceDir, MARK);
    const isOurs = (await writeOnce(path, ours)) === ours;
    if (!isOurs) {
      this.log.warn(
        { path },
        'the workspaces belong to another database: nothing is swept. Delete this file if that database is gone for good',
      );
    }
    return isOurs;
  }
}
