import { join } from 'node:path';
import { alternate } from '../lib/alternate.mjs';
import { post } from '../lib/api.mjs';
import { temporaryFolder } from '../../tools/folders.mjs';
import { insertJobs } from '../lib/job-rows.mjs';
import { startServer } from '../lib/server.mjs';
import { summarize } from '../../tools/stats.mjs';

export const title = 'a page of the job list with 1,000,000 jobs stored, beside one with 1,000';

const MANY = 1_000_000;
const FEW = 1_000;
const N = 200;
const PAGE = `query ($filter: JobFilter, $after: String) {
  jobs(filter: $filter, first: 20, after: $after) {
    edges { cursor node { id name state reason createdAt finishedAt labels { name value } } }
    pageInfo { hasNextPage endCursor }
  }
}`;
const PAGES = [
  { what: 'no filter', variables: {} },
  {
    what: 'a label of every tenth job',
    variables: { filter: { labels: [{ name: 'team', value: 'team-3' }] } },
  },
  { what: 'failed jobs', variables: { filter: { states: ['FAILED'] } } },
];

export async function measure() {
  const many = await serverWith(MANY);
  const few = await serverWith(FEW);
  const figures = [];
  for (const { what, variables } of PAGES) {
    const samples = await alternate(N, pageOf(many, variables), pageOf(few, variables), { warmUps: 20 });
    const [subject, baseline] = [summarize(samples.subject), summarize(samples.baseline)];
    figures.push({
      what: `list page of 1,000,000 jobs, ${what}`,
      unit: 'ms',
      promise: { ratioAtMost: 2 },
      subject,
      baseline,
      ratio: subject.p50 / baseline.p50,
    });
  }
  figures.push({
    what: 'start to listening with 1,000,000 jobs',
    unit: 'ms',
    subject: { n: 1, p50: many.startMs },
    baseline: { n: 1, p50: few.startMs },
    ratio: many.startMs / few.startMs,
  });
  return figures;
}

/** A server over a database of so many finished jobs; a first start makes the tables. */
async function serverWith(count) {
  const DATA_DIR = await temporaryFolder();
  const first = await startServer('process', { DATA_DIR });
  await first.stop();
  insertJobs(join(DATA_DIR, 'maps.sqlite'), count);
  return startServer('process', { DATA_DIR });
}

function pageOf(server, variables) {
  return async () => {
    const startedAt = performance.now();
    const { jobs } = await post(server.url, PAGE, variables);
    const took = performance.now() - startedAt;
    if (jobs.edges.length !== 20) throw new Error(`${jobs.edges.length} jobs on a page of 20`);
    return took;
  };
}
