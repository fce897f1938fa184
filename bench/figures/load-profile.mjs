import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../lib/api.mjs';
import { followScript } from '../lib/jobs.mjs';
import { untilFilled } from '../lib/pool.mjs';
import { startServer } from '../lib/server.mjs';
import { summarize } from '../../tools/stats.mjs';

export const title = 'latency to the first chunk as jobs come: serial, at a steady rate, all at once';

const SCRIPT = 'print("x")\n';
const WORKERS = 5;
const SERIAL_JOBS = 30;
const STEADY_JOBS = 40;
const STEADY_EVERY_MS = 500;
const BURST_JOBS = 50;
const PAUSE_MS = 500;

/** How jobs come; each returns what `run` found for every one of them. */
const PROFILES = {
  'serial, each as soon as the last has ended': async (run) => {
    const jobs = [];
    while (jobs.length < SERIAL_JOBS) jobs.push(await run());
    return jobs;
  },
  'two a second': (run) =>
    Promise.all(
      Array.from({ length: STEADY_JOBS }, async (_, at) => {
        await sleep(at * STEADY_EVERY_MS);
        return run();
      }),
    ),
  [`${BURST_JOBS} at once`]: (run) => Promise.all(Array.from({ length: BURST_JOBS }, () => run())),
};

/** `--runtime=docker|process`. Beside each load on a pool the same one on a server without. */
export async function measure({ runtime = 'docker' }) {
  const pooled = await startServer(runtime, { WARM_POOL: `default=${WORKERS}` });
  const cold = await startServer(runtime);
  const apis = { pooled: await connect(pooled.url), cold: await connect(cold.url) };
  const figures = [];
  for (const [at, [profile, load]] of Object.entries(PROFILES).entries()) {
    // Who goes first changes, so that whatever else the machine does meets both alike.
    const sides = at % 2 === 0 ? ['pooled', 'cold'] : ['cold', 'pooled'];
    const jobs = {};
    for (const side of sides) jobs[side] = await runLoad(apis[side], apis.pooled, load);
    figures.push(...toFigures(`${profile}, pool of ${WORKERS}, ${runtime}`, jobs.pooled, jobs.cold));
  }
  return figures;
}

/** With the pool filled before, also when it is not this load's: so that filling it disturbs nobody. */
async function runLoad(api, pool, load) {
  await untilFilled(pool);
  await sleep(PAUSE_MS);
  return load(() => followScript(api, SCRIPT));
}

function toFigures(what, withPool, without) {
  if (without.some(({ start }) => start.kind !== 'COLD')) throw new Error('a server without a pool has one');
  const baseline = summarize(without.map(({ firstChunkMs }) => firstChunkMs));
  const row = (name, kind) => {
    const latencies = withPool.filter(({ start }) => start.kind === kind).map((job) => job.firstChunkMs);
    if (latencies.length === 0) return [];
    const subject = summarize(latencies);
    return [{ what: `${what}: ${name}`, unit: 'ms', subject, baseline, ratio: subject.p50 / baseline.p50 }];
  };
  return [...row('hits', 'WARM'), ...row('misses', 'COLD')];
}
