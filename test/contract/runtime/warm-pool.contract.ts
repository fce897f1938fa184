import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Attempt, Job } from '../../../src/jobs/record/job.js';
import { OrphanSweeper } from '../../../src/execution/upkeep/orphan-sweeper.js';
import type { JobSubmission } from '../../../src/jobs/record/job-submission.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import type { PoolStatus } from '../../../src/runtime/pool/environment-pool.js';
import { WarmPool } from '../../../src/runtime/pool/warm-pool.js';
import { isWorkerId, isWorkerWorkload } from '../../../src/runtime/pool/warm-worker.js';
import { WorkspaceLayout } from '../../../src/workspace/workspace-layout.js';
import { WorkspaceMaker } from '../../../src/workspace/workspace-maker.js';
import { WorkspaceUpkeep } from '../../../src/workspace/workspace-upkeep.js';
import { startExecutionOn, submitTo, waitForState } from '../../support/service/execution-server.js';
import { FaultyStarts } from '../../support/faults/faulty-starts.js';
import type { RuntimeSetup } from '../../support/runtimes/runtime-setups.js';
import { SpoolContent } from '../../support/runtimes/runtime-spool.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { waitFor } from '../../support/wait-for.js';

/** What a job of these tests asks for; the workers are made with the same. */
const MEMORY_MB = 256;
const PATIENCE_MS = 120_000;
/** Bounds how many jobs and workers of a busy cluster come up at the same time. */
const CASE_TIMEOUT_MS = 240_000;
const DONE = /SUCCEEDED|FAILED|LOST|CANCELLED|TIMED_OUT/;

const LEAVES_TRACES = `
import os, subprocess, sys
for folder in ("/tmp", "/dev/shm", "/output"):
    open(folder + "/trace", "w").write("of the first")
os.environ["TRACE"] = "of the first"
sys.modules["trace"] = sys
subprocess.Popen(["sleep", "600"], start_new_session=True)
print("left")
`;
const LOOKS_FOR_TRACES = `
import os, sys
found = [path for path in ("/tmp/trace", "/dev/shm/trace", "/output/trace") if os.path.exists(path)]
found += [name for name in os.environ if name == "TRACE"] + [name for name in sys.modules if name == "trace"]
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        found += ["process " + pid] if b"sleep" in open("/proc/%s/cmdline" % pid, "rb").read() else []
    except OSError:
        pass
print("found", found)
`;
const SHOWS_WHAT_CAME = `
import json, os, sys
print(os.environ["CITY"], json.load(open("/input/request.json")), open("/input/data/a.txt").read())
print(sys.argv, __name__, __file__)
open("result.txt", "w").write(os.environ["CITY"])
`;
import { CALLER } from '../../support/service/caller.js';

/** What a pool of warm workers must do on any runtime: one body of cases. */
export function describeWarmPool(name: string, setup: RuntimeSetup): void {
  describeTier(setup.requiredTier, setup.unavailable, () => describeAvailable(name, setup), setup.used);
}

function describeAvailable(name: string, setup: RuntimeSetup): void {
  describe(`the pool of warm workers on ${name}`, () => {
    let dataDir: string;
    let server: TestingModule | undefined;
    const faults = new FaultyStarts();
    /** Their withdrawn orders stay for a day. */
    const withdrawn: string[] = [];

    beforeAll(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'warm-pool-'));
      await chmod(dataDir, 0o755); // the workload's user passes through it
    });

    afterEach(async () => {
      faults.mend();
      await server?.close();
      server = undefined;
    }, CASE_TIMEOUT_MS);

    afterAll(async () => {
      const provider = await setup.create(dataDir);
      const workloads = (await provider.list()).map((workload) => `workload ${workload.name}`);
      await provider.close();
      expect(workloads).toEqual([]);
      // Outputs and logs of the jobs stay, nothing of a worker without a job does.
      await new WorkspaceUpkeep(layoutOf(dataDir))
        .listInputs(() => Infinity)
        .then((left) => expect(left.filter(isWorkerId)).toEqual(withdrawn));
      await removeWorkspaces(dataDir);
      expect(await setup.hooks.leftovers()).toEqual([]);
      await rm(dataDir, { recursive: true, force: true });
    }, CASE_TIMEOUT_MS);

    const start = async (variables: Record<string, string> = {}): Promise<TestingModule> => {
      const runtime = faults.around(await setup.create(dataDir));
      server = await startExecutionOn(runtime, {
        DATA_DIR: dataDir,
        RUNNER_IMAGE: setup.image,
        DEFAULT_MEMORY_MB: String(MEMORY_MB),
        MAX_CONCURRENT_JOBS: '4',
        WARM_POOL: 'default=2',
        ...variables,
      });
      return server;
    };

    const status = (environment = 'default'): PoolStatus =>
      server!
        .get(WarmPool)
        .status()
        .find((each) => each.environment === environment)!;

    const untilReady = async (count: number): Promise<void> => {
      await waitFor(() => status().ready >= count, {
        deadlineMs: PATIENCE_MS,
        describe: () => `${count} workers ready: ${JSON.stringify(status())}`,
      });
    };

    const submit = (more: Partial<JobSubmission>): Promise<string> =>
      submitTo(server!, { memoryMb: MEMORY_MB, cpus: 1, ...more });

    const run = async (more: Partial<JobSubmission>): Promise<RanJob> => read(await submit(more));

    const read = async (id: string): Promise<RanJob> => {
      const job = await waitForState(server!, id, DONE, PATIENCE_MS);
      const attempts = await server!.get(JobRepository).attemptsOf(CALLER, id);
      const last = attempts.find((attempt) => attempt.number === job.attempt)!;
      const spool = await SpoolContent.read(server!.get(WorkspaceLayout).paths(last.workspace));
      return { job, attempts, attempt: last, stdout: spool.stdout, stderr: spool.stderr };
    };

    it(
      'gives a job to a worker that waits; the next job gets another one and sees nothing of the first',
      async () => {
        await start();
        await untilReady(2);
        const first = await run({ script: LEAVES_TRACES });
        const second = await run({ script: LOOKS_FOR_TRACES });
        expect([first, second].map(({ attempt }) => attempt.startKind)).toEqual(['WARM', 'WARM']);
        expect([first.stdout, second.stdout]).toEqual(['left\n', 'found []\n']);
        expect(first.attempt.workload).not.toBe(second.attempt.workload);
        for (const { attempt } of [first, second]) expect(isWorkerWorkload(attempt.workload)).toBe(true);
        // It fills up again.
        await untilReady(2);
        expect(status()).toMatchObject({ hits: 2, misses: 0, message: undefined });
      },
      CASE_TIMEOUT_MS,
    );

    it(
      'hands environment, request and files over that come with the job',
      async () => {
        await start();
        await untilReady(1);
        const ran = await run({
          script: SHOWS_WHAT_CAME,
          env: { CITY: 'Zürich' },
          requestText: '{"zoom":3}',
          files: [{ path: 'data/a.txt', content: Buffer.from('from a file') }],
        });
        expect(ran.stderr).toBe('');
        expect(ran.stdout).toContain("Zürich {'zoom': 3} from a file\n");
        expect(ran.stdout).toContain(' __main__ ');
        expect(ran.attempt.startKind).toBe('WARM');
        const output = server!.get(WorkspaceLayout).paths(ran.attempt.workspace).outputDir;
        expect(await readFile(join(output, 'result.txt'), 'utf8')).toBe('Zürich');
      },
      CASE_TIMEOUT_MS,
    );

    it(
      'starts what a worker cannot take cold, and says why',
      async () => {
        await start();
        await untilReady(2);
        const [hashed, repeated] = await Promise.all([
          run({ env: { PYTHONHASHSEED: '1' } }),
          run({ script: 'raise SystemExit(1)', retries: 1 }),
        ]);
        expect(hashed.attempt).toMatchObject({
          startKind: 'COLD',
          startWhy: expect.stringContaining('PYTHONHASHSEED'),
        });
        expect(repeated.attempts.map((each) => each.startKind).sort()).toEqual(['COLD', 'WARM']);
      },
      CASE_TIMEOUT_MS,
    );

    it(
      'takes a burst of fifty jobs with five workers: each runs once, the pool never makes one wait',
      async () => {
        await start({ WARM_POOL: 'default=5' });
        await untilReady(5);
        const script = 'import os\nprint("ran", os.environ["JOB_ID"])';
        const ids = await Promise.all(Array.from({ length: 50 }, () => submit({ script })));
        const ran: RanJob[] = [];
        for (const id of ids) ran.push(await read(id));
        expect(ran.map(({ stdout }) => stdout)).toEqual(ids.map((id) => `ran ${id}\n`));
        expect(ran.every(({ job, attempts }) => job.state === 'SUCCEEDED' && attempts.length === 1)).toBe(
          true,
        );
        const workloads = new Set(ran.map(({ attempt }) => attempt.workload));
        expect(workloads.size).toBe(50);
        const warm = ran.filter(({ attempt }) => attempt.startKind === 'WARM');
        expect(warm.length).toBeGreaterThanOrEqual(5);
        expect(status()).toMatchObject({ hits: warm.length, misses: 50 - warm.length });
        await untilReady(5);
      },
      CASE_TIMEOUT_MS,
    );

    it(
      'keeps jobs running cold while no worker comes up, tries ever less often, and recovers',
      async () => {
        faults.failWorkers('the disk of the engine is full');
        await start();
        await waitFor(() => faults.failed >= 3 && status().starting === 0, { deadlineMs: PATIENCE_MS });
        expect(status()).toMatchObject({ ready: 0, message: 'the disk of the engine is full' });
        const ran = await run({});
        expect([ran.job.state, ran.attempt.startKind]).toEqual(['SUCCEEDED', 'COLD']);
        expect(ran.attempt.startWhy).toMatch(/No worker was ready/);
        const tries = faults.failed;
        expect(tries).toBeLessThan(12);
        faults.mend();
        await untilReady(2);
        expect(status().message).toBeUndefined();
      },
      CASE_TIMEOUT_MS,
    );

    it(
      'runs a job again, once, whose server dies after it was committed to a worker and before the worker had it',
      async () => {
        const dying = await start();
        await untilReady(1);
        dying.get(WorkspaceMaker).handOut = () => new Promise(() => undefined);
        const id = await submit({ script: 'print("ran")' });
        const stuck = await waitFor(
          async () =>
            (await dying.get(JobRepository).attemptsOf(CALLER, id)).find(
              ({ startKind }) => startKind === 'WARM',
            ),
          { deadlineMs: PATIENCE_MS },
        );
        await dying.close();
        withdrawn.push(stuck.workspace);
        await start({ WARM_POOL: 'default=0' });
        const ran = await read(id);
        expect([ran.job.state, ran.stdout]).toEqual(['SUCCEEDED', 'ran\n']);
        expect(ran.attempts).toHaveLength(2);
        expect(ran.attempt.startKind).toBe('COLD');
        const spool = await SpoolContent.read(server!.get(WorkspaceLayout).paths(stuck.workspace));
        expect(spool.frames).toEqual([]);
      },
      CASE_TIMEOUT_MS,
    );

    it(
      'adopts a job that a worker runs when its server is gone',
      async () => {
        const dying = await start();
        await untilReady(1);
        const id = await submit({
          script: 'import time\nprint("begins", flush=True)\ntime.sleep(4)\nprint("ends")',
        });
        await waitForState(dying, id, /RUNNING/, PATIENCE_MS);
        await dying.close();
        await start({ WARM_POOL: 'default=0' });
        const ran = await read(id);
        expect([ran.job.state, ran.stdout, ran.attempts.length]).toEqual(['SUCCEEDED', 'begins\nends\n', 1]);
        expect(ran.attempt.startKind).toBe('WARM');
      },
      CASE_TIMEOUT_MS,
    );

    it(
      'removes the workers of a server that is gone, and no worker of its own',
      async () => {
        const dead = await start();
        await untilReady(2);
        // Its pool does not take its workers away: the server dies here.
        dead.get(WarmPool).run = () => Promise.resolve();
        faults.keepWorkers();
        await dead.close();
        faults.mend();
        await start();
        await untilReady(2);
        const own = status().ready;
        await server!.get(OrphanSweeper).sweep(new AbortController().signal, 0);
        const provider = await setup.create(dataDir);
        const left = (await provider.list()).filter((each) => isWorkerWorkload(each.name));
        await provider.close();
        expect([own, left.length]).toEqual([2, 2]);
        const ran = await run({});
        expect([ran.job.state, ran.attempt.startKind]).toEqual(['SUCCEEDED', 'WARM']);
      },
      CASE_TIMEOUT_MS,
    );

    it(
      'lets no worker wait longer than it may, and makes others in its place',
      async () => {
        await start({ WARM_POOL: 'default=1', WARM_MAX_AGE_SECONDS: '10' });
        await untilReady(1);
        const provider = await setup.create(dataDir);
        const names = async (): Promise<string[]> =>
          (await provider.list()).filter((each) => isWorkerWorkload(each.name)).map((each) => each.name);
        const before = await names();
        await waitFor(
          async () => {
            const now = await names();
            return now.length === 1 && !before.includes(now[0]!) && status().ready === 1;
          },
          { deadlineMs: PATIENCE_MS },
        );
        await provider.close();
      },
      CASE_TIMEOUT_MS,
    );
  });
}

interface RanJob {
  job: Job;
  attempts: Attempt[];
  attempt: Attempt;
  stdout: string;
  stderr: string;
}

/** The jobs' folders, so that what is left can be told from what is the jobs'. */
async function removeWorkspaces(dataDir: string): Promise<void> {
  const layout = layoutOf(dataDir);
  const ids = new Set<string>();
  for await (const batch of new WorkspaceUpkeep(layout).list()) for (const id of batch) ids.add(id);
  for (const id of ids) await new WorkspaceMaker(layout).discard(id);
  // The mark of the database to which they belonged.
  await rm(join(dataDir, 'workspaces', 'outputs', '.database-id'), { force: true });
}

function layoutOf(dataDir: string): WorkspaceLayout {
  return new WorkspaceLayout({ workspaceDir: join(dataDir, 'workspaces') } as never);
}
