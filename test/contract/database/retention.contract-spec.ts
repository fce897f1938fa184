import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Clock } from '../../../src/common/clock.js';
import { newId } from '../../../src/common/ids.js';
import type { Log } from '../../../src/common/log.js';
import type { Database } from '../../../src/database/database.js';
import { RetentionKeeper } from '../../../src/execution/upkeep/retention-keeper.js';
import { JobEvents } from '../../../src/jobs/record/job-events.js';
import { JobHolds } from '../../../src/jobs/retention/job-holds.js';
import { JobNotFoundError } from '../../../src/jobs/record/job.errors.js';
import { JobRemover } from '../../../src/jobs/retention/job-remover.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import { RetentionBounds } from '../../../src/jobs/retention/retention-bounds.js';
import { RetentionRepository } from '../../../src/jobs/store/retention.repository.js';
import { FolderOutputStore } from '../../../src/outputs/store/folder-output-store.js';
import { WorkspaceLayout } from '../../../src/workspace/workspace-layout.js';
import { WorkspaceMaker } from '../../../src/workspace/workspace-maker.js';
import { WorkspaceUpkeep } from '../../../src/workspace/workspace-upkeep.js';
import type { OpenDatabases } from '../../support/database/databases.js';
import { describeDatabases } from '../../support/database/databases.js';
import { waitFor } from '../../support/wait-for.js';
import { CALLER } from '../../support/service/caller.js';

const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const signal = new AbortController().signal;

class StoppedClock extends Clock {
  ms = NOW;
  override nowMs(): number {
    return this.ms;
  }
}

class QuickHolds extends JobHolds {
  protected override readonly renewMs = 20;
}

/** What one replica has to delete jobs with. */
interface Replica {
  database: Database;
  jobs: JobRepository;
  retention: RetentionRepository;
  holds: JobHolds;
  keeper: RetentionKeeper;
  layout: WorkspaceLayout;
  upkeep: WorkspaceUpkeep;
  clock: StoppedClock;
  /** Ids of the jobs of which something was told. */
  told: string[];
  warnings: object[];
}

async function start(open: OpenDatabases, variables: Record<string, string> = {}): Promise<Replica> {
  const { database, config } = await open(variables);
  const warnings: object[] = [];
  const ignore = (): void => undefined;
  const log: Log = { debug: ignore, info: ignore, error: ignore, warn: (fields) => warnings.push(fields) };
  const clock = new StoppedClock();
  const jobs = new JobRepository(database);
  const retention = new RetentionRepository(database);
  const layout = new WorkspaceLayout(config.storage);
  await new WorkspaceMaker(layout).prepare();
  const upkeep = new WorkspaceUpkeep(layout);
  const events = new JobEvents();
  const told: string[] = [];
  events.onAny((id = '') => void told.push(id));
  const remover = new JobRemover(
    jobs,
    retention,
    upkeep,
    new FolderOutputStore(layout, config.limits),
    events,
    log,
  );
  const holds = new QuickHolds(database, clock, log);
  const bounds = new RetentionBounds(retention, config.retention);
  const keeper = new RetentionKeeper(log, bounds, remover, holds, database, clock);
  return { database, jobs, retention, holds, keeper, layout, upkeep, clock, told, warnings };
}

describe('retention', () => {
  describeDatabases((open, dialect) => {
    /** Only where there can be several: SQLite serves one. */
    const itWithReplicas = (title: string, body: () => Promise<void>): void => {
      if (dialect === 'postgres') it(title, body);
    };
    let replica: Replica;
    let replicas: Replica[];

    const newReplica = async (variables?: Record<string, string>): Promise<Replica> => {
      // SQLite serves one at a time.
      if (replicas[0]?.database.file) await stopAll();
      const started = await start(open, variables);
      replicas.push(started);
      return started;
    };

    const stopAll = async (): Promise<void> => {
      for (const { database, holds } of replicas.splice(0)) {
        holds.onApplicationShutdown();
        await database.onApplicationShutdown();
      }
    };

    beforeEach(async () => {
      replicas = [];
      replica = await newReplica({ JOB_RETENTION_DAYS: '1' });
      await replica.database.db.deleteFrom('jobs').execute();
    });

    afterEach(stopAll);

    /** A finished job with a folder in each root. */
    async function store(finishedAtMs: number | null, bytes = 100, outputs = 1): Promise<string> {
      const { database, layout } = replica;
      const id = newId();
      const workspace = newId();
      const at = finishedAtMs ?? NOW;
      await database.db
        .insertInto('jobs')
        .values({
          id,
          environment: 'default',
          priority: 0,
          state: finishedAtMs === null ? 'RUNNING' : 'SUCCEEDED',
          attempt: 1,
          available_at: at,
          timeout_seconds: 1,
          memory_mb: 1,
          cpus: 1,
          network: 'NONE',
          retries: 0,
          created_at: at,
          finished_at: finishedAtMs,
          stored_bytes: bytes,
        })
        .execute();
      const run = { runtime: 'fake', scope: 's', workload: id, start_kind: 'COLD', start_why: 'test' };
      await database.db
        .insertInto('attempts')
        .values({ job_id: id, number: 1, workspace, start_intent_at: at, ...run })
        .execute();
      const files = Array.from({ length: outputs }, (_, at) => ({
        job_id: id,
        attempt: 1,
        path: `f${at}`,
        size: 1,
        sha256: '',
        content_type: '',
        modified_at: 0,
      }));
      for (let from = 0; from < files.length; from += 500)
        await database.db
          .insertInto('output_files')
          .values(files.slice(from, from + 500))
          .execute();
      const { outputDir, spoolDir } = layout.paths(workspace);
      for (const folder of [outputDir, spoolDir]) await mkdir(folder, { recursive: true });
      await writeFile(join(outputDir, 'f0'), 'x');
      return id;
    }

    async function left(): Promise<string[]> {
      const rows = await replica.database.db.selectFrom('jobs').select('id').orderBy('id').execute();
      return rows.map((row) => row.id);
    }

    it('deletes what is too old with its folders, tells of it, and nothing else', async () => {
      const old = [await store(NOW - DAY_MS - 1), await store(NOW - 2 * DAY_MS)];
      const live = await store(null);
      const young = await store(NOW - DAY_MS + 1);
      expect(await replica.keeper.enforce(signal)).toBe(2);
      expect(await left()).toEqual([live, young].sort());
      expect(replica.told.sort()).toEqual(old.sort());
      expect(await replica.database.db.selectFrom('output_files').selectAll().execute()).toHaveLength(2);
      const folders = await readdir(join(replica.layout.paths('x').outputDir, '..'));
      expect(folders).toHaveLength(2);
    });

    it('keeps everything for ever when it is told to', async () => {
      replica = await newReplica({ JOB_RETENTION_DAYS: '0' });
      await store(1);
      expect(await replica.keeper.enforce(signal)).toBe(0);
      expect(await left()).toHaveLength(1);
    });

    it('keeps the newest by count, though not of the last minute', async () => {
      replica = await newReplica({ JOB_RETENTION_DAYS: '0', JOB_RETENTION_MAX_JOBS: '2' });
      const ids = [];
      for (let hour = 5; hour > 0; hour--) ids.push(await store(NOW - hour * HOUR_MS));
      expect(await replica.keeper.enforce(signal)).toBe(3);
      expect(await left()).toEqual(ids.slice(3).sort());
      const fresh = [await store(NOW - 1), await store(NOW - 2), await store(NOW - 3)];
      expect(await replica.keeper.enforce(signal)).toBe(2);
      expect(await left()).toEqual(fresh.sort());
      replica.clock.ms += 61_000;
      expect(await replica.keeper.enforce(signal)).toBe(1);
      expect(await left()).toEqual(fresh.slice(0, 2).sort());
    });

    it('keeps the newest by what they take on the disks', async () => {
      replica = await newReplica({ JOB_RETENTION_DAYS: '0', JOB_RETENTION_MAX_BYTES: '1000' });
      const ids = [];
      for (const [hour, bytes] of [
        [4, 1],
        [3, 700],
        [2, 500],
        [1, 500],
      ] as const)
        ids.push(await store(NOW - hour * HOUR_MS, bytes));
      expect(await replica.keeper.enforce(signal)).toBe(2);
      expect(await left()).toEqual(ids.slice(2).sort());
      expect(await replica.keeper.enforce(signal)).toBe(0);
    });

    it('finds a bound that is many pages away, also among jobs that finished at one time', async () => {
      const ids = await storeMany(12_000);
      const all: string[] = [];
      for (
        let after, page;
        (page = await replica.retention.page(CALLER, 5_000, after)).jobs > 0;
        after = page.last
      )
        all.push(...(await replica.retention.rows(CALLER, 5_000, after)).map((row) => row.id));
      expect(all).toEqual([...ids].reverse());
      replica = await newReplica({ JOB_RETENTION_DAYS: '0', JOB_RETENTION_MAX_JOBS: '11990' });
      expect(await replica.keeper.enforce(signal)).toBe(10);
      expect(await left()).toEqual(ids.slice(10));
    });

    it('leaves a job alone that is being read here or on another replica, until a while after', async () => {
      const [here, there, neither] = [await store(1), await store(2), await store(3)];
      const release = await replica.holds.hold(CALLER, here);
      await replica.database.db
        .updateTable('jobs')
        .set({ in_use_until: sql<number>`${replica.database.now()} + 5000` })
        .where('id', '=', there)
        .execute();
      expect(await replica.keeper.enforce(signal)).toBe(1);
      expect(await left()).toEqual([here, there].sort());
      expect(neither).toBeDefined();
      release();
      // Who fetches one file often fetches another.
      expect(await replica.keeper.enforce(signal)).toBe(0);
      replica.clock.ms += 61_000;
      await replica.database.db.updateTable('jobs').set({ in_use_until: 1 }).execute();
      expect(await replica.keeper.enforce(signal)).toBe(2);
    });

    itWithReplicas('says to other replicas again and again what is being read here', async () => {
      const id = await store(1);
      const other = await newReplica({ JOB_RETENTION_DAYS: '1' });
      const release = await replica.holds.hold(CALLER, id);
      expect(await other.keeper.enforce(signal)).toBe(0);
      const { db } = replica.database;
      await db.updateTable('jobs').set({ in_use_until: 1 }).execute();
      const renewed = db.selectFrom('jobs').select('id').where('in_use_until', '>', 1);
      await waitFor(async () => (await renewed.execute()).length > 0);
      release();
    });

    it('cannot take a job whose holder has just asked for it, nor be asked for one it has taken', async () => {
      for (let round = 0; round < 30; round++) {
        const id = await store(1);
        const [held, deleted] = await Promise.allSettled([
          replica.holds.hold(CALLER, id),
          replica.keeper.enforce(signal),
        ]);
        const isThere = (await left()).includes(id);
        expect({ held: held.status === 'fulfilled', deleted }).toEqual({
          held: isThere,
          deleted: { status: 'fulfilled', value: isThere ? 0 : 1 },
        });
        await replica.database.db.deleteFrom('jobs').execute();
      }
      await expect(replica.holds.hold(CALLER, newId())).rejects.toThrow(JobNotFoundError);
    });

    it('takes small steps: a job with many outputs goes alone', async () => {
      for (let i = 0; i < 3; i++) await store(i + 1, 1, 1_500);
      const newest = { finishedAtMs: NOW, id: '' };
      const first = await replica.retention.deleteOldest(CALLER, newest, () => []);
      expect(first).toHaveLength(1);
      for (let i = 0; i < 60; i++) await store(i + 10, 1, 0);
      await replica.retention.deleteOldest(CALLER, newest, () => []);
      const second = await replica.retention.deleteOldest(CALLER, newest, () => []);
      expect(second.length).toBeLessThanOrEqual(50);
      expect(second[0]!.workspaces).toHaveLength(1);
    });

    it('goes on when folders cannot be removed: the rows are gone, the sweeper finds the rest', async () => {
      await store(1);
      await store(2);
      replica.upkeep.remove = () => Promise.reject(new Error('busy'));
      expect(await replica.keeper.enforce(signal)).toBe(2);
      expect([await left(), replica.warnings.length]).toEqual([[], 2]);
    });

    it('finds the oldest finished jobs by an index, and so what it counts', async () => {
      const plans = [
        `select id from jobs where finished_at <= 5 and (finished_at < 5 or id <= '') and
          (in_use_until is null or in_use_until < 5) order by finished_at, id limit 50`,
        `select count(*), sum(stored_bytes) from (select finished_at, id, stored_bytes from jobs
          where finished_at is not null and (finished_at, id) < (5, '') order by finished_at desc, id desc limit 5000) as n`,
      ];
      for (const query of plans) expect(await planOf(replica.database, query)).toMatch(/jobs_finished/);
    });

    async function storeMany(count: number): Promise<string[]> {
      const ids = Array.from({ length: count }, () => newId()).sort();
      for (let from = 0; from < count; from += 500) {
        const rows = ids.slice(from, from + 500).map((id, at) => ({
          id,
          environment: 'default',
          priority: 0,
          state: 'SUCCEEDED',
          available_at: 1,
          timeout_seconds: 1,
          memory_mb: 1,
          cpus: 1,
          network: 'NONE',
          retries: 0,
          created_at: 1,
          finished_at: Math.floor((from + at) / 3000),
        }));
        await replica.database.db.insertInto('jobs').values(rows).execute();
      }
      return ids;
    }

    itWithReplicas('on several replicas at once deletes each job once and none too many', async () => {
      const variables = { JOB_RETENTION_DAYS: '0', JOB_RETENTION_MAX_JOBS: '100' };
      for (let more = 0; more < 2; more++) await newReplica(variables);
      await storeMany(400);
      const deleted = await Promise.all(replicas.slice(1).map(({ keeper }) => keeper.enforce(signal)));
      expect(deleted[0]! + deleted[1]!).toBe(300);
      expect(await left()).toHaveLength(100);
      expect(Math.min(...deleted)).toBeGreaterThan(0);
    });
  });
});

async function planOf(database: Database, query: string): Promise<string> {
  if (database.file) {
    const { rows } = await sql<{ detail: string }>`explain query plan ${sql.raw(query)}`.execute(database.db);
    return rows.map((row) => row.detail).join('\n');
  }
  return database.db.transaction().execute(async (tx) => {
    // A table of few rows is read whole otherwise.
    await sql`set local enable_seqscan = off`.execute(tx);
    const { rows } = await sql<Record<string, string>>`explain ${sql.raw(query)}`.execute(tx);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  });
}
