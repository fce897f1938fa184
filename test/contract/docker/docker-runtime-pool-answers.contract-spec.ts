import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { WarmPool } from '../../../src/runtime/pool/warm-pool.js';
import { startExecutionOn } from '../../support/service/execution-server.js';
import { dockerSetup } from '../../support/runtimes/runtime-setups.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { waitFor } from '../../support/wait-for.js';

const PATIENCE_MS = 180_000;
const setup = await dockerSetup();

describeTier(setup.requiredTier, setup.unavailable, () => {
  describe('a worker in a container that somebody pauses', () => {
    let dataDir: string;
    let server: TestingModule;

    beforeAll(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'pool-answers-'));
      server = await startExecutionOn(await setup.create(dataDir), {
        DATA_DIR: dataDir,
        RUNNER_IMAGE: setup.image,
        WARM_POOL: 'default=1',
      });
    }, PATIENCE_MS);

    afterAll(async () => {
      await server.close();
      expect(await setup.hooks.leftovers()).toEqual([]);
      await rm(dataDir, { recursive: true, force: true });
    }, PATIENCE_MS);

    it(
      'is replaced before a job is given to it',
      async () => {
        const ready = (): string | undefined => server.get(WarmPool).readyWorkloads[0];
        const paused = await waitFor(ready, { deadlineMs: PATIENCE_MS });
        await new Docker().getContainer(paused).pause();
        await waitFor(() => ready() !== undefined && ready() !== paused, {
          deadlineMs: PATIENCE_MS,
          describe: () => `another worker than ${paused}: ${ready()}`,
        });
      },
      2 * PATIENCE_MS,
    );
  });
});
