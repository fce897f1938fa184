import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { StorageFullError } from '../../../src/common/app-error.js';
import { Clock } from '../../../src/common/clock.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { Database } from '../../../src/database/database.js';
import { RESERVE_BYTES } from '../../../src/database/sqlite/disk-reserve.js';
import { StorageSpace } from '../../../src/jobs/retention/storage-space.js';
import { FolderOutputStore } from '../../../src/outputs/store/folder-output-store.js';
import { WorkspaceLayout } from '../../../src/workspace/workspace-layout.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { SmallDisk, whyNoMount } from '../../support/faults/small-disk.js';
import { waitFor } from '../../support/wait-for.js';

const MiB = 1024 * 1024;

class StoppedClock extends Clock {
  ms = 1_000_000;
  override nowMs(): number {
    return this.ms;
  }
}

describeTier('small-disk', whyNoMount(), () => {
  describe('the space on the disks', () => {
    let disk: SmallDisk;
    let database: Database;
    let clock: StoppedClock;
    let told: string[];

    beforeEach(() => {
      disk = new SmallDisk(64);
      clock = new StoppedClock();
      told = [];
    });

    afterEach(async () => {
      await database.onApplicationShutdown();
      await disk.unmount();
    });

    function newSpace(variables: Record<string, string> = {}): StorageSpace {
      const config = loadConfig({ DATA_DIR: join(disk.path, 'data'), MIN_FREE_DISK_MB: '16', ...variables });
      database = new Database(config);
      const tell = (_: object, message: string): void => void told.push(message);
      const log = { debug: tell, info: tell, warn: tell, error: tell };
      const outputs = new FolderOutputStore(new WorkspaceLayout(config.storage), config.limits);
      return new StorageSpace(config.storage, database, clock, log, outputs);
    }

    it('is looked at once a second at most, and its changes are told once each', async () => {
      const space = newSpace();
      expect(await space.shortage()).toBeUndefined();
      disk.fill(10 * MiB);
      clock.ms += 999;
      expect(await space.shortage()).toBeUndefined();
      clock.ms += 1;
      expect(await space.shortage()).toBeInstanceOf(StorageFullError);
      clock.ms += 1_000;
      expect(await space.shortage()).toBeInstanceOf(StorageFullError);
      disk.clear();
      clock.ms += 1_000;
      expect(await space.shortage()).toBeUndefined();
      expect(told).toEqual([
        'a disk is almost full: no new job is taken until there is room',
        'the disks have room again: jobs are taken',
      ]);
    });

    it('counts on the disk of the workspaces as on that of the database', async () => {
      const other = new SmallDisk(8);
      try {
        const space = newSpace({ WORKSPACE_DIR: other.path });
        expect(await space.shortage()).toBeUndefined();
        // Only what is there is looked at.
        mkdirSync(join(other.path, 'outputs'));
        clock.ms += 1_000;
        expect(await space.shortage()).toBeInstanceOf(StorageFullError);
      } finally {
        await other.unmount();
      }
    });

    it('is never short where no floor is asked for, and the reserve is filled where there is room', async () => {
      disk.fill(10 * MiB);
      const space = newSpace({ MIN_FREE_DISK_MB: '0' });
      expect([await space.shortage(), database.file!.reserve.bytes]).toEqual([undefined, 0]);
      disk.clear();
      clock.ms += 1_000;
      await space.shortage();
      await waitFor(() => database.file!.reserve.bytes === RESERVE_BYTES);
    });
  });
});
