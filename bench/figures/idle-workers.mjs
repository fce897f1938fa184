import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../lib/api.mjs';
import { cgroupFolders } from '../../tools/cgroups.mjs';
import { listContainers, pidOfContainer } from '../../tools/engine.mjs';
import { untilFilled } from '../lib/pool.mjs';
import { startServer } from '../lib/server.mjs';
import { summarize } from '../../tools/stats.mjs';
import { cgroupOf, cpuSecondsOf, memoryOf } from '../lib/worker-usage.mjs';

export const title = 'what a waiting worker costs: memory, and CPU';

const WORKERS = 5;
const IDLE_MS = 30_000;
/** Imports have just ended: memory that is about to be given back, and threads about to sleep, are not what waiting costs. */
const SETTLE_MS = 3_000;
const SECONDS_PER_HOUR = 3_600;
const KINDS = [
  { name: 'process', runtime: 'process', cgroupsOf: cgroupsOfSandboxes },
  { name: 'Docker, py-exec:slim', runtime: 'docker', image: 'py-exec:slim', cgroupsOf: cgroupsOfContainers },
  {
    name: 'Docker, py-exec:latest with its libraries',
    runtime: 'docker',
    image: 'py-exec:latest',
    cgroupsOf: cgroupsOfContainers,
  },
];

export async function measure() {
  const figures = [];
  for (const { name, runtime, image, cgroupsOf } of KINDS) {
    const variables = { WARM_POOL: `default=${WORKERS}`, ...(image ? { RUNNER_IMAGE: image } : {}) };
    const server = await startServer(runtime, variables);
    await untilFilled(await connect(server.url));
    await sleep(SETTLE_MS);
    const cgroups = await cgroupsOf(server);
    if (cgroups.length !== WORKERS) throw new Error(`${cgroups.length} workers wait instead of ${WORKERS}`);
    figures.push(...(await measureIdle(name, cgroups)));
    await server.stop();
  }
  return figures;
}

async function measureIdle(name, cgroups) {
  const startedAt = performance.now();
  const before = cgroups.map(cpuSecondsOf);
  await sleep(IDLE_MS);
  // A worker that is gone makes this fail.
  const used = cgroups.map((cgroup, at) => cpuSecondsOf(cgroup) - before[at]);
  const hours = (performance.now() - startedAt) / 1000 / SECONDS_PER_HOUR;
  const memory = cgroups.map(memoryOf);
  if (memory.some(({ processes }) => processes === 0)) throw new Error('a worker has ended');
  const row = (what, unit, values) => ({ what: `${what}, ${name}`, unit, subject: summarize(values) });
  const rowOf = (what, key) =>
    row(
      what,
      'MB',
      memory.map((each) => each[key]),
    );
  return [
    { ...rowOf('waiting worker: memory, PSS', 'pssMb'), processes: memory[0].processes },
    rowOf('waiting worker: memory, RSS', 'rssMb'),
    rowOf('waiting worker: memory, cgroup', 'cgroupMb'),
    row(
      'waiting worker: CPU',
      's/hour',
      used.map((seconds) => seconds / hours),
    ),
  ];
}

async function cgroupsOfContainers({ installation }) {
  const ids = await listContainers(`io.maps-python.installation=${installation}`);
  return Promise.all(ids.map(async (id) => cgroupOf(await pidOfContainer(id))));
}

function cgroupsOfSandboxes({ installation }) {
  return cgroupFolders(installation, 'memory.oom_control', 'memory.current');
}
