import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromDist } from '../../../tools/paths.mjs';
import { followLog, followState, observation } from './followers.mjs';
import { makePlan } from './plan.mjs';
import { submit, untilAnswered } from './submit.mjs';

const LOOK_MS = 500;
const REFUSED_PAUSE_MS = 300;

/** A bounded stream of jobs through the real API, each with a follower of its log and one of its states. */
export class Scenario {
  /** @type {import('./plan.mjs').Plan[]} */
  plans = [];
  #jobs = new Set();
  #wanted = [];
  #ending = new AbortController();
  #isSubmitting = true;

  constructor(cluster, random, history, maxInFlight) {
    this.cluster = cluster;
    this.random = random;
    this.history = history;
    this.maxInFlight = maxInFlight;
    setMaxListeners(0, this.#ending.signal);
  }

  async start() {
    const { ApiClient } = await fromDist('client/api-client.js');
    const { JobApi } = await fromDist('client/job-api.js');
    this.client = new ApiClient({ server: this.cluster.url });
    this.api = new JobApi(this.client);
    this.#submitting = quiet(this.#submitJobs());
    this.#looking = quiet(this.#look());
  }

  #submitting;
  #looking;

  /** A job of this kind comes next: a fault waits for what it does. */
  want(kind) {
    if (kind && !this.#wanted.includes(kind)) this.#wanted.push(kind);
  }

  /** No new jobs; resolves with true when all have ended and been followed to their end, false after `patienceMs`. */
  async drain(patienceMs) {
    this.#isSubmitting = false;
    const patience = new AbortController();
    const over = sleep(patienceMs, false, { signal: patience.signal }).catch(() => false);
    const all = this.#submitting.then(() => Promise.all(this.#jobs)).then(() => true);
    const isDrained = await Promise.race([all, over]);
    patience.abort();
    return isDrained;
  }

  async close() {
    this.#isSubmitting = false;
    this.#ending.abort(new Error('the run is over'));
    await Promise.all([this.#submitting, this.#looking, ...this.#jobs]);
  }

  async #submitJobs() {
    for (let n = 1; this.#isSubmitting; n++) {
      while (this.#jobs.size >= this.maxInFlight) await Promise.race(this.#jobs);
      if (!this.#isSubmitting) return;
      const plan = makePlan(n, this.random.derive(`job ${n}`), this.#wanted.shift());
      this.plans.push(plan);
      const job = quiet(this.#runJob(plan)).finally(() => this.#jobs.delete(job));
      this.#jobs.add(job);
      // Not all at once: claims of one job at a time are the rule.
      await sleep(this.random.int(0, 200), undefined, { signal: this.#ending.signal });
    }
  }

  async #runJob(plan) {
    const { signal } = this.#ending;
    const id = await submit(plan, this.api, this.history, signal);
    if (id === undefined) return sleep(REFUSED_PAUSE_MS, undefined, { signal });
    await Promise.all([
      followLog(id, this.client.socketUrl, this.history, signal),
      followState(id, this.client.socketUrl, this.history, signal),
      this.#cancel(plan, id, signal),
    ]);
  }

  async #cancel({ cancelAfterMs }, jobId, signal) {
    if (cancelAfterMs === undefined) return;
    await sleep(cancelAfterMs, undefined, { signal });
    const job = await untilAnswered(() => this.api.cancel(jobId), signal);
    this.history.add('cancelled', { jobId, state: job.state });
    this.history.add('observed', { observer: 'cancel', ...observation(job) });
  }

  /** Looks at the list of jobs as a web page does: an observer that asks instead of being told. */
  async #look() {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const jobs = await this.api.list({}, 100).catch(() => []);
      for (const job of jobs.filter((each) => this.#isNews(each)))
        this.history.add('observed', { observer: 'list', ...observation(job) });
      await sleep(LOOK_MS, undefined, { signal });
    }
  }

  #seen = new Map();

  #isNews(job) {
    const version = JSON.stringify(observation(job));
    const isNews = this.#seen.get(job.id) !== version;
    this.#seen.set(job.id, version);
    return isNews;
  }
}

/** What fails because the run is over is no news; anything else is a fault of the harness, which must not hide. */
async function quiet(work) {
  try {
    return await work;
  } catch (error) {
    if (error.name !== 'AbortError' && error.message !== 'the run is over') throw error;
    return undefined;
  }
}
