import { randomUUID } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { atEnd } from '../../tools/cleanup.mjs';
import { temporaryFolder } from '../../tools/folders.mjs';
import { serverVariables } from '../../tools/server-process.mjs';
import { check } from './checker/checker.mjs';
import { collectFinals, sweepAndLook } from './ending.mjs';
import { runSchedule } from './faults/run-schedule.mjs';
import { makeSchedule } from './faults/schedule.mjs';
import { Random } from './random.mjs';
import { dockerRuntime } from './runtimes/docker.mjs';
import { kubernetesRuntime } from './runtimes/kubernetes.mjs';
import { processRuntime } from './runtimes/process.mjs';
import { Scenario } from './scenario/scenario.mjs';
import { SpoolWatch } from './scenario/spools.mjs';
import { Cluster } from './world/cluster.mjs';
import { mountDataDisk } from './world/data-disk.mjs';
import { openDatabase } from './world/database.mjs';
import { History } from './world/history.mjs';

const RUNTIMES = { process: processRuntime, docker: dockerRuntime, kubernetes: kubernetesRuntime };
const MAX_IN_FLIGHT = 8;
/** Workers have the memory limit that jobs ask for. */
const WARM = { WARM_POOL: 'default=2..6', DEFAULT_MEMORY_MB: '256' };
/** On PostgreSQL a lease of 15 s has to run out first, and is looked for every 5 s. */
const TAKEOVER_MS = { sqlite: 0, postgres: 21_000 };
/** A lease has to run out, then a job's own time, then some: whatever has not ended by then never will. */
const DRAIN_MS = 180_000;

/** One run from an empty service to the verdict. Everything it makes is gone when `cleanUp` has been called. */
export async function run(options, onStep, signal) {
  const startedAt = performance.now();
  const world = await makeWorld(options);
  const random = new Random(options.seed);
  const steps = makeSchedule({ ...options, hasDisk: world.disk !== undefined }, random.derive('faults'));
  const { cluster, history } = world;
  await cluster.start();
  const spools = new SpoolWatch(world.workspaceDir, history);
  atEnd(() => spools.close());
  await spools.start();
  const scenario = new Scenario(cluster, random.derive('jobs'), history, MAX_IN_FLIGHT);
  atEnd(() => scenario.close());
  await scenario.start();
  const takeoverMs = TAKEOVER_MS[options.database];
  await runSchedule(steps, { ...world, scenario, takeoverMs }, onStep, signal);
  if (!(await scenario.drain(DRAIN_MS))) history.add('unfinished', { what: 'not every job came to its end' });
  await scenario.close();
  await collectFinals({ client: scenario.client, api: scenario.api, history, signal });
  await spools.close();
  await sweepAndLook(world);
  const { plans } = scenario;
  const { events } = history;
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  return { options, plans, events, steps, seconds, result: check({ plans, events }) };
}

async function makeWorld(options) {
  const installation = `chaos-${randomUUID()}`;
  const folder = await temporaryFolder('maps-chaos-');
  // Without a sandbox the scripts' user passes through it.
  await chmod(folder, 0o711);
  const dataDir = join(folder, 'data');
  await mkdir(dataDir);
  // On a cluster neither the database nor the jobs' folders lie there.
  const disk = options.runtime === 'kubernetes' ? undefined : await mountDataDisk(dataDir);
  const history = new History();
  const database = await openDatabase(options, dataDir);
  const runtime = await RUNTIMES[options.runtime]({
    installation,
    folder,
    dataDir,
    isolation: options.isolation,
  });
  atEnd(() => runtime.removeAll());
  const variables = {
    ...serverVariables(options.runtime, installation),
    LOG_LEVEL: 'info',
    DATA_DIR: dataDir,
    STOP_GRACE_SECONDS: '2',
    MAX_CONCURRENT_JOBS: '6',
    // Well below what the small disk has, or no job is ever taken.
    MIN_FREE_DISK_MB: '16',
    ...database.variables,
    ...runtime.variables,
    ...(options.isWarm ? WARM : {}),
  };
  const cluster = new Cluster(options.replicas, variables, folder, history, previousOf(options));
  atEnd(() => cluster.close());
  const workspaceDir = runtime.workspaceDir ?? join(dataDir, 'workspaces');
  return { cluster, database, disk, history, isWarm: options.isWarm, runtime, workspaceDir };
}

/** The earlier release that the servers are updated from, with the image that belongs to it. */
function previousOf({ previous, previousImage }) {
  if (!previous) return undefined;
  return { checkout: previous, variables: previousImage ? { RUNNER_IMAGE: previousImage } : {} };
}
