import { setTimeout as sleep } from 'node:timers/promises';
import { takeTurns } from './alternate.mjs';
import { connect } from './api.mjs';
import { followScript } from './jobs.mjs';
import { untilFilled } from './pool.mjs';
import { startServer } from './server.mjs';
import { summarize } from '../../tools/stats.mjs';

const WORKERS = 2;
const PAUSE_MS = 50;
const PHASES = ['queuedMs', 'startMs', 'runMs', 'collectMs'];

/**
 * From `runScript` sent until the first chunk of a job that got a waiting worker is here, and until its verdict is, beside the
 * same script without the server. `baselines` are named; each is milliseconds until its first line and its end. `settle` waits until the server has
 * removed what the last job ran in.
 */
export async function measureWarm({ runtime, variables, script, n, baselines, settle }) {
  const server = await startServer(runtime, { ...variables, WARM_POOL: `default=${WORKERS}` });
  const api = await connect(server.url);
  const jobs = [];
  const starts = { hits: 0, misses: 0 };
  const quiet = async () => {
    await settle(server, WORKERS);
    await untilFilled(api);
    await sleep(PAUSE_MS);
  };
  const subject = async () => {
    for (;;) {
      await quiet();
      const job = await followScript(api, script);
      if (job.start.kind === 'WARM') {
        starts.hits += 1;
        jobs.push(job);
        return { firstMs: job.firstChunkMs, endMs: job.verdictMs };
      }
      starts.misses += 1;
      // A few may come while a worker is being replaced; more of them would be no measurement of a pool.
      if (starts.misses > n / 4) throw new Error(`too many jobs found no worker: ${job.start.why}`);
    }
  };
  const alone = ([name, measure]) => [
    name,
    async () => {
      await quiet();
      return measure();
    },
  ];
  const sides = { subject, ...Object.fromEntries(Object.entries(baselines).map(alone)) };
  const samples = await takeTurns(n, sides);
  const counted = jobs.slice(-n);
  const median = (valueOf) => summarize(counted.map(valueOf)).p50;
  const summaries = (moment) =>
    Object.fromEntries(
      Object.entries(samples).map(([side, values]) => [side, summarize(values.map((each) => each[moment]))]),
    );
  return {
    first: summaries('firstMs'),
    end: summaries('endMs'),
    starts,
    phases: {
      answered: median(({ answeredMs }) => answeredMs),
      ...Object.fromEntries(PHASES.map((name) => [name, median(({ timings }) => timings[name] ?? 0)])),
    },
  };
}

/** A row for the medians and, where `p95` is promised something, one for the slow ones, each beside its like. */
export function warmFigures(what, measured, { p50, p95, baseline = 'baseline' }) {
  const row = (name, promised) =>
    toRow(`${what} (${name})`, measured.first, measured.starts, name, promised, baseline);
  return [{ ...row('p50', p50), phases: measured.phases }, ...(p95 === undefined ? [] : [row('p95', p95)])];
}

/** A row for the median verdict. */
export function verdictFigure(what, { end, starts }, { p50, baseline = 'baseline' }) {
  return toRow(`verdict, ${what} (p50)`, end, starts, 'p50', p50, baseline);
}

function toRow(what, { subject, ...baselines }, starts, quantile, promised, side) {
  const baseline = baselines[side];
  return {
    what,
    unit: 'ms',
    ...(promised === undefined ? {} : { promise: { ratioAtMost: promised } }),
    subject,
    baseline,
    ratio: subject[quantile] / baseline[quantile],
    starts,
  };
}
