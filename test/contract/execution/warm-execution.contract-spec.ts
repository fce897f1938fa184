import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { newId } from '../../../src/common/ids.js';
import type { Log } from '../../../src/common/log.js';
import { LOG } from '../../../src/common/log.js';
import { Database } from '../../../src/database/database.js';
import type { Attempt } from '../../../src/jobs/record/job.js';
import { AttemptWatcher } from '../../../src/execution/attempt/attempt-watcher.js';
import { DataOwnership } from '../../../src/execution/upkeep/data-ownership.js';
import { OrphanFiles } from '../../../src/execution/upkeep/orphan-files.js';
import { OrphanSweeper } from '../../../src/execution/upkeep/orphan-sweeper.js';
import { OrphanWorkloads } from '../../../src/execution/upkeep/orphan-workloads.js';
import { Recovery } from '../../../src/execution/takeover/recovery.js';
import { WorkerStrays } from '../../../src/execution/upkeep/worker-strays.js';
import { AttemptRepository } from '../../../src/jobs/store/attempt.repository.js';
import { ClaimRepository } from '../../../src/jobs/store/claim.repository.js';
import { JobEvents } from '../../../src/jobs/record/job-events.js';
import { JobService } from '../../../src/jobs/job.service.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import { IdempotencyMismatchError } from '../../../src/jobs/record/job.errors.js';
import { SubmissionRepository } from '../../../src/jobs/store/submission.repository.js';
import type { FakeWorkload } from '../../support/runtimes/fake/fake-workload.js';
import type { PoolStatus } from '../../../src/runtime/pool/environment-pool.js';
import { WarmPool } from '../../../src/runtime/pool/warm-pool.js';
import type { WarmWorker } from '../../../src/runtime/pool/warm-worker.js';
import { isWorkerWorkload } from '../../../src/runtime/pool/warm-worker.js';
import { RuntimeHealthMonitor } from '../../../src/runtime/runtime-health.js';
import { RUNTIME_PROVIDER } from '../../../src/runtime/runtime-provider.js';
import { ORDER_FILE, STOP_FILE } from '../../../src/runner/files.js';
import { OUTPUT_STORE } from '../../../src/outputs/store/output-store.js';
import type { WorkspaceContent } from '../../../src/workspace/workspace-content.js';
import { WorkspaceLayout } from '../../../src/workspace/workspace-layout.js';
import { WorkspaceMaker } from '../../../src/workspace/workspace-maker.js';
import { WorkspaceUpkeep } from '../../../src/workspace/workspace-upkeep.js';
import { whileNobodyClaims } from '../../support/service/execution-server.js';
import { submission } from '../../support/service/job-submission.js';
import { ExecutionBench, TERMINAL } from '../../support/service/execution-bench.js';
import { waitFor } from '../../support/wait-for.js';
import { CALLER } from '../../support/service/caller.js';

const never = (): Promise<never> => new Promise(() => undefined);

/** What may go wrong between a pool, a claim, a sweep and a recovery; on a fake engine, so that each case is made at will. */
describe('execution with warm workers', () => {
  let bench: ExecutionBench;

  beforeEach(async () => {
    bench = await ExecutionBench.open({}, { WARM_POOL: 'default=2' });
    await untilReady(2);
  });

  afterEach(async () => {
    await bench.close();
    expect(bench.engine.violations).toEqual([]);
  });

  const status = (): PoolStatus => bench.server.get(WarmPool).status()[0]!;
  const untilReady = (count: number): Promise<unknown> =>
    waitFor(() => status().ready === count, { describe: () => JSON.stringify(status()) });
  const attempts = (id: string): Promise<Attempt[]> => bench.server.get(JobRepository).attemptsOf(CALLER, id);
  const workers = (): FakeWorkload[] => bench.engine.all().filter(({ spec }) => isWorkerWorkload(spec.name));

  /** A sweep that looks also at what is new, and finds in the database what `looks` say. */
  const sweepWith = (looks: Partial<AttemptRepository>): Promise<unknown> => {
    const attempts = Object.assign(
      Object.create(bench.server.get(AttemptRepository)) as AttemptRepository,
      looks,
    );
    const [log, strays] = [bench.server.get<Log>(LOG), bench.server.get(WorkerStrays)];
    return new OrphanSweeper(
      log,
      bench.server.get(RuntimeHealthMonitor),
      bench.server.get(DataOwnership),
      new OrphanWorkloads(bench.server.get(RUNTIME_PROVIDER), log, attempts, strays),
      new OrphanFiles(
        log,
        attempts,
        bench.server.get(WorkspaceUpkeep),
        bench.server.get(OUTPUT_STORE),
        strays,
      ),
    ).sweep(new AbortController().signal, -1000);
  };
  const sweep = (): Promise<unknown> => sweepWith({});

  /** The workload that has taken the job's order, or was started for it. */
  const runsOf = (id: string): FakeWorkload[] =>
    seen.filter(({ spec, order }) => spec.jobId === id || (typeof order === 'object' && order.jobId === id));
  const seen: FakeWorkload[] = [];
  beforeEach(() => {
    seen.length = 0;
    seen.push(...bench.engine.all());
    bench.engine.onStart = (workload): void => void seen.push(workload);
  });
  const running = (id: string, number = 1): Promise<FakeWorkload> =>
    waitFor(
      () => {
        const run = runsOf(id)[number - 1];
        return run?.state === 'running' ? run : undefined;
      },
      { describe: () => `run ${number} of ${id}` },
    );

  it('lets go of a worker that it hands out: only the job waits for its end then', async () => {
    const id = await bench.submit();
    const worker = await running(id);
    await bench.waitForState(id, /RUNNING/);
    expect(isWorkerWorkload(worker.spec.name)).toBe(true);
    expect(worker.waiters).toBe(1);
    expect(bench.server.get(WarmPool).holds(worker.spec.workspace.id)).toBe(false);
    worker.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
    await untilReady(2);
    expect(workers()).toHaveLength(2);
    // Its end is the job's and says nothing about the pool.
    expect(status()).toMatchObject({ hits: 1, misses: 0, message: undefined });
  });

  it('commits the worker to the job before it writes anything for it', async () => {
    const workspaces = bench.server.get(WorkspaceMaker);
    const handOut = workspaces.handOut.bind(workspaces);
    const before: Attempt[] = [];
    workspaces.handOut = async (workspace, content) => {
      const db = bench.server.get(Database).db;
      const known = db.selectFrom('attempts').select('job_id').where('workspace', '=', workspace);
      const { job_id } = await known.executeTakeFirstOrThrow();
      before.push(...(await attempts(job_id)));
      return handOut(workspace, content);
    };
    const id = await bench.submit();
    const worker = await running(id);
    expect(before).toMatchObject([
      { jobId: id, workload: worker.spec.name, handle: worker.handle, startKind: 'WARM' },
    ]);
    worker.end();
    await bench.waitForState(id, TERMINAL);
  });

  /** The commit of a claim whose answer does not come: of a job that waited, or of one that is just being stored. */
  const losesAnswer = {
    'as it is claimed': async (): Promise<string> => {
      const claims = bench.server.get(ClaimRepository);
      const claim = claims.claim.bind(claims);
      let lost = 0;
      claims.claim = async (...args) => {
        const claimed = await claim(...args);
        if (claimed.length === 0 || lost > 0) return claimed;
        lost += 1;
        throw new Error('the answer was lost');
      };
      const { job } = await bench.server.get(SubmissionRepository).insert(CALLER, submission({}), {
        id: newId(),
        nowMs: Date.now(),
        maxQueued: 1000,
      });
      bench.server.get(JobEvents).publishQueuedLocal();
      await waitFor(() => lost === 1);
      return job.id;
    },
    'as it is stored': async (): Promise<string> => {
      // Jobs are taken as they are stored from when the server has looked for those of others.
      const before = await bench.submit();
      (await running(before)).end();
      await bench.waitForState(before, TERMINAL);
      await untilReady(2);
      const jobs = bench.server.get(SubmissionRepository);
      const insert = jobs.insert.bind(jobs);
      let id = '';
      jobs.insert = async (...args) => {
        jobs.insert = insert;
        id = (await insert(...args)).job.id;
        throw new Error('the answer was lost');
      };
      await whileNobodyClaims(bench.server, () =>
        expect(bench.submit()).rejects.toThrow('the answer was lost'),
      );
      return id;
    },
  };

  it.each(Object.entries(losesAnswer))(
    "gives a worker to nobody when it may be a job's, %s",
    async (_, lose) => {
      const id = await lose();
      const [first] = await attempts(id);
      const taken = seen.find(({ spec }) => spec.name === first!.workload)!;
      await waitFor(() => taken.state === 'ended');
      expect(taken.order).toBeUndefined();
      await waitFor(() => !bench.server.get(WarmPool).holds(first!.workspace));
      const other = await bench.submit();
      expect((await running(other)).spec.name).not.toBe(first!.workload);
      // Nobody renews its lease; it runs out.
      await bench.server
        .get(Database)
        .db.updateTable('jobs')
        .set({ lease_until: 0 })
        .where('id', '=', id)
        .execute();
      await bench.server.get(Recovery).adoptAll(new AbortController().signal);
      (await running(id)).end();
      expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
      expect(runsOf(id)).toHaveLength(1);
      runsOf(other)[0]!.end();
      await bench.waitForState(other, TERMINAL);
    },
  );

  it('keeps the worker that was planned for a job which is not stored, or was before', async () => {
    const first = await bench.server.get(JobService).submit(CALLER, submission({ idempotencyKey: 'once' }));
    (await running(first.id)).end();
    await bench.waitForState(first.id, TERMINAL);
    await untilReady(2);
    const waiting = bench.server.get(WarmPool).readyWorkloads;
    const again = await bench.server.get(JobService).submit(CALLER, submission({ idempotencyKey: 'once' }));
    expect(again.id).toBe(first.id);
    const other = submission({ idempotencyKey: 'once', script: 'print(2)' });
    await expect(bench.server.get(JobService).submit(CALLER, other)).rejects.toThrow(
      IdempotencyMismatchError,
    );
    expect(bench.server.get(WarmPool).readyWorkloads.sort()).toEqual(waiting.sort());
    expect(status()).toMatchObject({ hits: 1, misses: 0 });
    const next = await bench.submit();
    expect(waiting).toContain((await running(next)).spec.name);
  });

  it('withdraws the order of a worker that it adopts; one that comes late reaches nobody', async () => {
    const workspaces = bench.server.get(WorkspaceMaker);
    const handOut = workspaces.handOut.bind(workspaces);
    let late: () => Promise<unknown> = never;
    workspaces.handOut = (workspace, content) => {
      late = () => handOut(workspace, content);
      return never();
    };
    const id = await bench.submit();
    await waitFor(() => late !== never);
    const [first] = await attempts(id);
    await bench.server.close();
    // What its pool takes away as it stops are workers without a job.
    const worker = bench.engine.workload(first!.workload);
    await bench.start({ WARM_POOL: 'default=0' });
    const second = await running(id);
    expect(worker).toMatchObject({ order: 'withdrawn', exit: { kind: 'exited', exitCode: 125 } });
    await late();
    second.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
    expect(runsOf(id)).toEqual([second]);
  });

  it('runs a job once whose paused server writes the order over its withdrawal', async () => {
    const workspaces = bench.server.get(WorkspaceMaker);
    const handOut = workspaces.handOut.bind(workspaces);
    let late: () => Promise<unknown> = never;
    workspaces.handOut = (workspace, content) => {
      late = () => handOut(workspace, content);
      return never();
    };
    const id = await bench.submit();
    await waitFor(() => late !== never);
    const [first] = await attempts(id);
    const worker = bench.engine.workload(first!.workload);
    // It is slow enough to see only what was written last.
    worker.takesOrders = false;
    await bench.server.close();
    await bench.start({ WARM_POOL: 'default=0' });
    const order = join(worker.spec.workspace.jobDir, ORDER_FILE);
    await waitFor(() => readFileSync(order, 'utf8').includes('withdrawn'));
    await late();
    worker.takesOrders = true;
    await bench.waitForState(id, /RUNNING/);
    (await running(id)).end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
    expect(runsOf(id)).toEqual([worker]);
  });

  it('gives up a worker that does not take its job, and repeats the attempt', async () => {
    Object.assign(bench.server.get(AttemptWatcher), { takingMs: 200 });
    for (const worker of workers()) worker.takesOrders = false;
    const id = await bench.submit();
    const cold = await running(id);
    const [first] = await attempts(id);
    expect(first).toMatchObject({ startKind: 'WARM', reason: 'START_FAILED' });
    expect(bench.engine.all().map(({ spec }) => spec.name)).not.toContain(first!.workload);
    cold.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
  });

  it('goes on with an adopted job whose worker has its order, and does not stop it', async () => {
    const id = await bench.submit();
    const worker = await running(id);
    await bench.waitForState(id, /RUNNING/);
    await bench.server.get(Database).db.updateTable('attempts').set({ started_at: null }).execute();
    await bench.server.close();
    await bench.start({ WARM_POOL: 'default=0' });
    const { jobDir } = worker.spec.workspace;
    await waitFor(() => readFileSync(join(jobDir, ORDER_FILE), 'utf8').includes('withdrawn'));
    // That would end it.
    expect(existsSync(join(jobDir, STOP_FILE))).toBe(false);
    worker.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
  });

  /** The worker that got the job still has its folders, and the job ends well with it. */
  const expectUnharmed = async (id: string): Promise<void> => {
    const worker = await running(id);
    expect(existsSync(worker.spec.workspace.jobDir)).toBe(true);
    worker.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
  };

  it.each([
    ['workloads', 1],
    ['inputs', 2],
  ])('sweeps no worker that gets its job while the sweeper looks at %s', async (_, look) => {
    let id = '';
    let looks = 0;
    await sweepWith({
      liveAttempts: async () => {
        const live = await bench.server.get(AttemptRepository).liveAttempts();
        if ((looks += 1) !== look) return live;
        id = await bench.submit();
        await bench.waitForState(id, /RUNNING/);
        return live;
      },
    });
    await expectUnharmed(id);
  });

  it('sweeps no worker that was taken for a job, until nobody holds it', async () => {
    const pool = bench.server.get(WarmPool);
    const { limits, network } = workers()[0]!.spec;
    const need = { environment: 'default', limits, network, env: [], secrets: [] };
    const worker = pool.take(need) as WarmWorker;
    const workload = bench.engine.workload(worker.workload);
    await sweep();
    expect([workload.state, existsSync(workload.spec.workspace.jobDir)]).toEqual(['running', true]);
    pool.release(worker);
    await sweep();
    expect([workload.state, existsSync(workload.spec.workspace.jobDir)]).toEqual(['ended', false]);
  });

  it('sweeps no folder of a worker that gets its job while the sweeper looks', async () => {
    let id = '';
    await mkdir(bench.server.get(WorkspaceLayout).paths('nobodys').outputDir, { recursive: true });
    await sweepWith({
      knownWorkspaces: async (ids) => {
        const known = await bench.server.get(AttemptRepository).knownWorkspaces(ids);
        if (id !== '') return known;
        id = await bench.submit();
        await bench.waitForState(id, /RUNNING/);
        return known;
      },
    });
    await expectUnharmed(id);
  });

  it('starts a repeated attempt cold, with workers at hand', async () => {
    const id = await bench.submit({ retries: 1 });
    (await running(id)).end({ kind: 'exited', exitCode: 1, oomKilled: false });
    await untilReady(2);
    const second = await running(id, 2);
    expect(second.spec.worker).toBeUndefined();
    second.end();
    await bench.waitForState(id, TERMINAL);
    expect((await attempts(id)).map(({ startKind }) => startKind)).toEqual(['WARM', 'COLD']);
  });

  it('starts a job cold that sets what a library has read already', async () => {
    bench.spool.environmentRead = ['CITY'];
    const before = bench.server.get(WarmPool).readyWorkloads;
    for (const name of before) bench.engine.vanish(name);
    await waitFor(() => !bench.server.get(WarmPool).readyWorkloads.some((name) => before.includes(name)));
    await untilReady(2);
    const id = await bench.submit({ env: { CITY: 'Bern' } });
    (await running(id)).end();
    await bench.waitForState(id, TERMINAL);
    expect(await attempts(id)).toMatchObject([
      { startKind: 'COLD', startWhy: expect.stringMatching(/CITY/) },
    ]);
    expect(status()).toMatchObject({ ready: 2, hits: 0, misses: 0 });
  });

  it('runs a script once whose order was written although the write was reported as failed', async () => {
    failAfter(bench.server, async (handOut) => {
      await handOut();
      await waitFor(() => workers().some(({ order }) => order !== undefined));
    });
    const id = await bench.submit();
    const worker = await running(id);
    await bench.waitForState(id, /RUNNING/);
    worker.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
    expect(runsOf(id)).toEqual([worker]);
  });

  it('gives a job another attempt whose files could not be written for its worker, which runs nothing', async () => {
    failAfter(bench.server, () => undefined);
    const id = await bench.submit();
    const cold = await running(id);
    cold.end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({ state: 'SUCCEEDED', attempt: 2 });
    expect(runsOf(id)).toEqual([cold]);
    await untilReady(2);
    expect(workers()).toHaveLength(2);
  });

  it('makes others in place of workers of an image that was built anew', async () => {
    const before = workers();
    bench.engine.imageVersion = 'second';
    await waitFor(() => before.every(({ state }) => state === 'ended'));
    await untilReady(2);
    expect(workers()).toHaveLength(2);
  });

  it('leaves no worker, none of their folders and no wait behind when it stops', async () => {
    await bench.server.close();
    expect(bench.engine.all()).toEqual([]);
    const left = await bench.server.get(WorkspaceUpkeep).listInputs(() => Infinity);
    expect(left).toEqual([]);
    await bench.start();
  });
});

/** Lets the next hand-out fail, after `before` has done some or all of it. */
function failAfter(server: TestingModule, before: (handOut: () => Promise<unknown>) => unknown): void {
  const workspaces = server.get(WorkspaceMaker);
  const handOut = workspaces.handOut.bind(workspaces);
  workspaces.handOut = async (id: string, content: WorkspaceContent) => {
    workspaces.handOut = handOut;
    await before(() => handOut(id, content));
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  };
}
