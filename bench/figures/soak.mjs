import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../lib/api.mjs';
import { followScript } from '../lib/jobs.mjs';
import { leftoversOf } from '../lib/leftovers.mjs';
import { poolStatus, untilFilled } from '../lib/pool.mjs';
import { toMarkdown } from '../lib/report.mjs';
import { startServer } from '../lib/server.mjs';
import { MEASURES, countWorkloads, takeSample } from '../lib/soak-sample.mjs';
import { summarize } from '../../tools/stats.mjs';
import { waitUntil } from '../lib/wait-until.mjs';

export const title = 'many jobs through the pool: does anything grow, is anything left';

const SCRIPT = 'print("x")\n';
const WORKERS = 4;
const PARALLEL = 3;
const JOBS = { process: 10_000, docker: 1_000 };
/** What each job adds shows after so many. */
const JUDGED_JOBS = 500;
const SAMPLES = 45;
const KEPT_JOBS = 200;
const LOOK_MS = 20;

/**
 * `--runtime=process|docker` for one of them alone, `--jobs=n` for another number of jobs. They are sent as fast as they
 * are done, and those that find no worker start cold; with `--patient=yes` each waits for a worker first, and only jobs
 * that got one count.
 */
export async function measure({ runtime, jobs, patient }) {
  const figures = [];
  for (const name of runtime ? [runtime] : Object.keys(JOBS))
    figures.push(...(await soak(name, Number(jobs ?? JOBS[name]), patient === 'yes')));
  return figures;
}

async function soak(runtime, jobs, isPatient) {
  const server = await startServer(runtime, {
    WARM_POOL: `default=${WORKERS}`,
    JOB_RETENTION_MAX_JOBS: String(KEPT_JOBS),
  });
  const api = await connect(server.url);
  await untilFilled(api);
  const { samples, starts } = await runJobs(runtime, server, api, jobs, isPatient);
  await untilOnlyWorkersAreLeft(runtime, server, api);
  await api.close();
  await server.quit();
  const leftovers = await leftoversOf({ runtime, ...server });
  if (leftovers.length > 0)
    throw new Error(`${runtime}: ${leftovers.length} things are left: ${leftovers.slice(0, 10).join(', ')}`);
  console.error(`${runtime}, ${starts.hits} jobs in workers, ${starts.misses} cold; nothing is left\n`);
  console.error(`${samplesTable(samples)}\n`);
  return toFigures(runtime, samples, starts);
}

/** Until so many jobs are done, a few at a time. */
async function runJobs(runtime, server, api, jobs, isPatient) {
  const starts = { hits: 0, misses: 0 };
  const done = () => starts.hits + (isPatient ? 0 : starts.misses);
  const samples = [];
  const startedAt = performance.now();
  let promised = 0;
  const oneAfterTheOther = async () => {
    while (done() < jobs) {
      if (isPatient) await untilMoreWaitThan(api, () => promised);
      promised += 1;
      const { start } = await followScript(api, SCRIPT, () => (promised -= 1));
      starts[start.kind === 'WARM' ? 'hits' : 'misses'] += 1;
    }
  };
  const sampling = async () => {
    for (let n = 1; n <= SAMPLES; n++) {
      while (done() < (jobs * n) / SAMPLES) await sleep(LOOK_MS);
      const minutes = (performance.now() - startedAt) / 60_000;
      samples.push({ jobs: done(), minutes, ...(await takeSample(runtime, server, api)) });
    }
  };
  await Promise.all([sampling(), ...Array.from({ length: PARALLEL }, oneAfterTheOther)]);
  return { samples, starts };
}

/** Until a worker waits that no job which was sent before will have. */
function untilMoreWaitThan(api, promised) {
  return waitUntil('a worker', async () => {
    const found = await poolStatus(api);
    return { isDone: found.ready > promised(), found };
  });
}

/** A job is answered before what it ran in is removed. */
async function untilOnlyWorkersAreLeft(runtime, server, api) {
  await waitUntil(`${WORKERS} workloads`, async () => {
    await untilFilled(api);
    const found = await countWorkloads(runtime, server);
    return { isDone: found === WORKERS, found };
  });
}

/**
 * Flat is what has in the last third of the samples no median above that of the middle third, give or take what
 * `MEASURES` allows. In the first third caches fill, and retention has not begun.
 */
function toFigures(runtime, samples, starts) {
  const third = Math.floor(samples.length / 3);
  const [middle, last] = [samples.slice(third, 2 * third), samples.slice(2 * third)];
  return Object.entries(MEASURES).map(([key, { what, unit, flatWithin }], at) => {
    const [baseline, subject] = [middle, last].map((part) => summarize(part.map((sample) => sample[key])));
    return {
      what: `soak, ${runtime}, ${starts.hits + starts.misses} jobs: ${what}`,
      unit,
      ...(starts.hits + starts.misses >= JUDGED_JOBS ? { promise: { flatWithin } } : {}),
      subject,
      baseline,
      ...(baseline.p50 > 0 ? { ratio: subject.p50 / baseline.p50 } : {}),
      ...(at === 0 ? { starts, samples } : {}),
    };
  });
}

function samplesTable(samples) {
  const names = Object.keys(samples[0]);
  const text = (value) => value.toLocaleString('en', { maximumFractionDigits: 1 });
  return toMarkdown([names, ...samples.map((sample) => names.map((name) => text(sample[name])))]);
}
