import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { childrenOf, readStat } from '../../../src/runtime/process/workload/process-table.js';
import type { WorkloadState } from '../../../src/runtime/process/workload/workload-state.js';
import type { Isolation } from '../../support/runtimes/process/runtime-process.js';
import {
  ProcessBackdoor,
  gone,
  lookForProcess,
  testPython,
} from '../../support/runtimes/process/runtime-process.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import type { JobView } from '../../support/service/service.js';
import { TestService } from '../../support/service/service.js';
import { waitFor } from '../../support/wait-for.js';

/** A job that is struck as soon as it runs needs no more. */
const TIMEOUT_SECONDS = 10;
/** Jobs that are struck while no server runs wait for each other, and for their server to stop. */
const LONG_TIMEOUT_SECONDS = 30;
const GRACE_SECONDS = 1;
/** How much later than its deadline and grace a job may come to its end, whatever becomes of its processes. */
const BOUND_SECONDS = 30;
const RUNS_ON = `import time
while True: time.sleep(0.1)
`;

/** What stands between a server and a script: the supervisor, the sandbox program where there is one, and the runner. */
type Part = 'supervisor' | 'program' | 'runner';

const PARTS: Readonly<Record<Isolation, readonly Part[]>> = {
  bubblewrap: ['supervisor', 'program', 'runner'],
  none: ['supervisor', 'runner'],
};

const TIMED_OUT = { state: 'TIMED_OUT', reason: 'TIMEOUT' };
const LOST = { state: 'LOST', reason: 'RUNTIME_LOST' };

/** What becomes of a job a part of which is killed. Without its supervisor, it is held to its time by its runner. */
const KILLED: Readonly<Record<Part | 'all', object>> = {
  supervisor: TIMED_OUT,
  program: LOST,
  runner: { state: 'FAILED', reason: 'EVICTED', message: 'The workload was killed from outside.' },
  all: LOST,
};

interface Case {
  title: string;
  signal: 'SIGKILL' | 'SIGSTOP';
  parts: readonly Part[];
  isServerAway: boolean;
  end: object;
}

interface RunningJob extends Case {
  id: string;
  pids: number[];
  /** By when its end must have come. */
  untilMs: number;
}

function casesOf(isolation: Isolation): Case[] {
  const all = PARTS[isolation];
  const sets = [...all.map((part) => ({ name: part, parts: [part] })), { name: 'all' as const, parts: all }];
  return [false, true].flatMap((isServerAway) =>
    sets.flatMap(({ name, parts }) =>
      (['SIGKILL', 'SIGSTOP'] as const).map((signal) => {
        const target = name === 'all' ? 'all of these' : `the ${name}`;
        const title = `${signal} to ${target}, ${isServerAway ? 'while no server runs' : 'under its server'}`;
        return { title, signal, parts, isServerAway, end: signal === 'SIGKILL' ? KILLED[name] : TIMED_OUT };
      }),
    ),
  );
}

for (const isolation of ['bubblewrap', 'none'] as const) {
  const { unavailable, used } = await lookForProcess(isolation);
  describeTier(
    'process',
    unavailable,
    () =>
      describe.each(['cold', 'warm'] as const)(
        `jobs (${isolation}, %s) whose processes are killed, or stopped for ever`,
        (kind) => describeEnds(isolation, kind),
      ),
    used,
  );
}

function describeEnds(isolation: Isolation, kind: 'cold' | 'warm'): void {
  const backdoor = new ProcessBackdoor(`test-${randomUUID()}`, isolation);
  const cases = casesOf(isolation);
  const ends = new Map<string, JobView>();
  let service: TestService;
  const processes: number[] = [];
  let hits = 0;

  const start = async (dataDir?: string): Promise<void> => {
    service = await TestService.start(
      {
        EXECUTION_RUNTIME: 'process',
        PROCESS_ISOLATION: isolation,
        PROCESS_PYTHON: testPython(isolation),
        INSTALLATION_ID: backdoor.installationId,
        STOP_GRACE_SECONDS: String(GRACE_SECONDS),
        MAX_CONCURRENT_JOBS: String(cases.length),
        ...(kind === 'warm' ? { WARM_POOL: `default=${cases.length}` } : {}),
      },
      dataDir,
    );
    backdoor.dataDir = service.dataDir;
  };
  const pool = async (): Promise<{ ready: number; hits: number }> => {
    const found = await service.ask<{
      service: { pool: { environments: { ready: number; hits: number }[] } };
    }>('{ service { pool { environments { ready hits } } } }');
    return found.service.pool.environments[0]!;
  };
  const stateOf = async (id: string): Promise<WorkloadState> => {
    const found = await service.ask<{ job: { attempts: { workload: string }[] } }>(
      'query ($id: ID!) { job(id: $id) { attempts { workload } } }',
      { id },
    );
    return backdoor.folders.read(found.job.attempts[0]!.workload)!;
  };
  const pidOf = ({ supervisor, sandbox }: WorkloadState, part: Part): number => {
    if (part === 'supervisor') return supervisor!.pid;
    const runner = isolation === 'bubblewrap' ? sandbox.childPid! : childrenOf(supervisor!.pid)[0]!;
    return part === 'runner' ? runner : readStat(runner)!.parentPid;
  };

  /** Resolves when the script of a new job runs. */
  const run = async (each: Case, timeoutSeconds: number): Promise<RunningJob> => {
    const id = await service.run(RUNS_ON, { timeoutSeconds });
    await service.waitForState(id, /RUNNING/);
    const untilMs = Date.now() + (timeoutSeconds + GRACE_SECONDS + BOUND_SECONDS) * 1000;
    const state = await stateOf(id);
    processes.push(...backdoor.processesOf(state));
    return { ...each, id, untilMs, pids: each.parts.map((part) => pidOf(state, part)) };
  };
  const strike = ({ pids, signal }: RunningJob): void => {
    for (const pid of pids) process.kill(pid, signal);
  };

  beforeAll(async () => {
    await start();
    if (kind === 'warm')
      await waitFor(async () => (await pool()).ready === cases.length, {
        describe: () => 'workers that wait',
      });
    const jobs: RunningJob[] = [];
    for (const each of cases.filter(({ isServerAway }) => !isServerAway)) {
      const job = await run(each, TIMEOUT_SECONDS);
      strike(job);
      jobs.push(job);
    }
    const others = await Promise.all(
      cases.filter(({ isServerAway }) => isServerAway).map((each) => run(each, LONG_TIMEOUT_SECONDS)),
    );
    if (kind === 'warm') hits = (await pool()).hits;
    await service.stop({ keepData: true });
    others.forEach(strike);
    await start(service.dataDir);
    await Promise.all(
      [...jobs, ...others].map(async ({ title, id, untilMs }) =>
        ends.set(title, await service.waitForEnd(id, untilMs - Date.now())),
      ),
    );
  });

  afterAll(async () => {
    // Takes the workers that wait, and leaves the jobs of a suite that failed.
    await service.stop({ keepData: true });
    expect(await backdoor.leftovers()).toEqual([]);
    await rm(service.dataDir, { recursive: true });
  });

  it.each(cases)('$title', ({ title, end }) =>
    expect(ends.get(title)).toMatchObject({ ...end, attempt: 1, skippedOutputs: [] }),
  );

  it('none of their processes is left', () => gone(processes));

  if (kind === 'warm') it('were in workers', () => expect(hits).toBe(cases.length));
}
