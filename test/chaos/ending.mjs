import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordLog } from './scenario/followers.mjs';
import { untilAnswered } from './scenario/submit.mjs';

const PAGE = 1000;
/** A start included, which on a cluster waits for a pod. */
const SWEEP_PATIENCE_MS = 120_000;
/** Orders that were withdrawn are kept for a day: the last server wakes up after it. */
const NEXT_DAY_MS = 25 * 3_600_000;
/** An engine takes a moment to forget what was just removed. */
const LEFT_PATIENCE_MS = 15_000;
const FINAL = `query ($id: ID!) { job(id: $id) {
  id name state reason exitCode attempt message usage { wallMs } outputs { path size sha256 url } } }`;

/** Asks for every job of the service once more, with its whole log and its outputs. */
export async function collectFinals({ client, api, history, signal }) {
  const jobs = await untilAnswered((patience) => api.list({}, 100_000, patience), signal);
  const known = new Set(jobs.map(({ id }) => id));
  for (const { jobId } of history.events.filter(({ type }) => type === 'accepted')) known.add(jobId);
  for (const id of known) await collectJob(id, { client, api, history, signal });
}

async function collectJob(id, { client, api, history, signal }) {
  try {
    const { job } = await untilAnswered((patience) => client.query(FINAL, { id }, patience), signal);
    const { usage, outputs, id: jobId, ...rest } = job;
    const files = await Promise.all(outputs.map((output) => download(output, client, signal)));
    await readLog(jobId, api, history, signal);
    history.add('final', { jobId, ...rest, wallMs: usage.wallMs, outputs: files });
  } catch (error) {
    signal.throwIfAborted();
    history.add('refused', { observer: 'the end', jobId: id, code: error.code, message: error.message });
  }
}

/** The hash of what is downloaded, beside the one that is told. */
async function download({ url, ...output }, client, signal) {
  const response = await client.download(url, 'GET', signal);
  const content = Buffer.from(await response.arrayBuffer());
  return { ...output, content: createHash('sha256').update(content).digest('hex') };
}

/** The log by pages, from its beginning: a reader that was not there while the job ran. */
async function readLog(jobId, api, history, signal) {
  for (let after; ;) {
    const page = await untilAnswered((patience) => api.logs(jobId, after, PAGE, patience), signal);
    recordLog(history, 'afterwards', jobId, { ...page, job: null });
    after = page.endCursor;
    if (!page.hasMore) return history.add('logEnd', { follower: 'afterwards', jobId });
  }
}

/** Starts a server anew, a day later and with a sweeper that spares nothing, and notes what is still there when it has been. */
export async function sweepAndLook({ cluster, history, isWarm, runtime, database, workspaceDir }) {
  await cluster.stop();
  const [server] = cluster.servers;
  // It is to take away what others left, and to leave nothing itself.
  server.variables = { ...server.variables, WARM_POOL: '' };
  server.tell({ sweepGraceMs: 0, clockOffsetMs: NEXT_DAY_MS, armed: undefined });
  const swept = history.waitFor(({ msg }) => msg === 'swept', SWEEP_PATIENCE_MS);
  await server.start();
  if (!(await swept)) history.add('unfinished', { what: 'the sweeper did not come' });
  await server.stop();
  const { attempts, outbox } = await database.read();
  for (const { job_id: jobId, state, attempt, cancel_requested } of outbox)
    history.add('noted', { jobId, state, attempt, isCancelRequested: cancel_requested === 1 });
  if (isWarm) history.add('starts', countKinds(attempts));
  for (const what of await leftovers(runtime, workspaceDir, attempts)) history.add('leftover', { what });
}

/** How many attempts got a worker, and how many a workload of their own. */
function countKinds(attempts) {
  const warm = attempts.filter(({ start_kind }) => start_kind === 'WARM').length;
  return { warm, cold: attempts.length - warm };
}

async function leftovers(runtime, workspaceDir, attempts) {
  const until = performance.now() + LEFT_PATIENCE_MS;
  for (;;) {
    const left = [...(await runtime.leftovers()), ...strayFolders(workspaceDir, attempts)];
    if (left.length === 0 || performance.now() > until) return left;
    await sleep(500);
  }
}

/** Folders of no attempt, and inputs, which nobody needs once a job has ended. */
function strayFolders(workspaceDir, attempts) {
  const known = new Set(attempts.map(({ workspace }) => workspace));
  const entries = (root) => {
    const folder = join(workspaceDir, root);
    const names = existsSync(folder) ? readdirSync(folder) : [];
    return names
      .filter((name) => !name.startsWith('.') && name !== 'lost+found')
      .map((name) => ({ root, name }));
  };
  const strays = ['outputs', 'logs'].flatMap(entries).filter(({ name }) => !known.has(name));
  return [...strays, ...entries('inputs')].map(({ root, name }) => `folder ${root}/${name}`);
}
