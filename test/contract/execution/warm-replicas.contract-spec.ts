import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { OrphanSweeper } from '../../../src/execution/upkeep/orphan-sweeper.js';
import { FakeEngine } from '../../support/runtimes/fake/fake-engine.js';
import { WarmPool } from '../../../src/runtime/pool/warm-pool.js';
import { startExecution } from '../../support/service/execution-server.js';
import { RunnerSpool } from '../../support/runtimes/fake/fake-spool.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { TestDatabase, whyNoPostgres } from '../../support/database/test-database.js';
import { waitFor } from '../../support/wait-for.js';

const TIMEOUT_MS = 180_000;
const HOUR_MS = 3_600_000;

describeTier('postgres', whyNoPostgres, () => {
  describe('servers with workers that share a database and an engine', () => {
    let engine: FakeEngine;
    let database: TestDatabase;
    let dataDir: string;
    const servers: TestingModule[] = [];

    beforeEach(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'maps-warm-'));
      engine = new FakeEngine({ spool: new RunnerSpool(), secondMs: 1, allowKillByRemove: true });
      database = await TestDatabase.create();
    }, TIMEOUT_MS);

    afterEach(async () => {
      for (const server of servers.splice(0)) await server.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
      expect(engine.violations).toEqual([]);
    }, TIMEOUT_MS);

    const start = async (more: Record<string, string>): Promise<TestingModule> => {
      const shared = { DATA_DIR: dataDir, DATABASE_URL: database.url, WARM_POOL: 'default=2' };
      const server = await startExecution(engine, { ...shared, ...more });
      servers.push(server);
      await waitFor(() => server.get(WarmPool).readyWorkloads.length === 2);
      return server;
    };

    it(
      'leave each other’s workers alone, however long those may wait',
      async () => {
        const brief = await start({ WARM_MAX_AGE_SECONDS: '10' });
        const patient = await start({ WARM_MAX_AGE_SECONDS: '86400' });
        const theirs = patient.get(WarmPool).readyWorkloads.map((name) => engine.workload(name));
        for (const workload of theirs) Object.assign(workload, { createdAtMs: Date.now() - 23 * HOUR_MS });
        await brief.get(OrphanSweeper).sweep(new AbortController().signal, -1000);
        for (const { state, spec } of theirs) {
          expect([state, existsSync(spec.workspace.jobDir)]).toEqual(['running', true]);
        }
        expect(patient.get(WarmPool).status()).toMatchObject([{ ready: 2, message: undefined }]);
      },
      TIMEOUT_MS,
    );
  });
});
