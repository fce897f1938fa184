import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from './api.mjs';
import { cpuSecondsOfAll } from './machine.mjs';
import { startServer } from './server.mjs';
import { summarize } from '../../tools/stats.mjs';

const SCRIPT = 'print("x")\n';
const PARALLEL = 4;
/** Jobs that wait, so that the server never has to wait for the client. */
const WAITING = 8;
const ROUNDS = 4;
const ROUND_MS = 8_000;
const ENDED = `subscription { jobsUpdated { id state } }`;

/**
 * Jobs per minute with the queue never empty, beside as many bare loops as the server runs jobs at a time; and where the
 * CPU goes: milliseconds per job of the server, of the whole machine, and of the machine per bare run.
 */
export async function measureThroughput({ runtime, makeBaseline, settle }) {
  const bare = await makeBaseline(SCRIPT);
  const server = await startServer(runtime, { MAX_CONCURRENT_JOBS: String(PARALLEL) });
  const api = await connect(server.url);
  const own = [];
  const base = [];
  const [ownCpu, baseCpu] = [new CpuPerRun(), new CpuPerRun()];
  await pump(api, 1_500);
  await loop(bare, 1_500);
  const cpuBefore = server.cpuSeconds();
  for (let round = 0; round < ROUNDS; round++) {
    const takeOwn = async () => {
      own.push(await ownCpu.during(() => pump(api, ROUND_MS)));
      await settle(server);
    };
    const takeBase = async () => base.push(await baseCpu.during(() => loop(bare, ROUND_MS)));
    const [first, second] = round % 2 === 0 ? [takeOwn, takeBase] : [takeBase, takeOwn];
    await first();
    await sleep(300);
    await second();
    await sleep(300);
  }
  const [subject, baseline] = [summarize(own), summarize(base)];
  const cpuMsPerJob = {
    server: ((server.cpuSeconds() - cpuBefore) * 1000) / ownCpu.runs,
    machine: ownCpu.msPerRun,
    machineBare: baseCpu.msPerRun,
  };
  return { subject, baseline, ratio: subject.p50 / baseline.p50, parallel: PARALLEL, cpuMsPerJob };
}

class CpuPerRun {
  runs = 0;
  #seconds = 0;

  /** Counts what the machine uses until `measure` resolves with `{ perMinute, count }`; returns the first of them. */
  async during(measure) {
    const before = cpuSecondsOfAll();
    const { perMinute, count } = await measure();
    this.#seconds += cpuSecondsOfAll() - before;
    this.runs += count;
    return perMinute;
  }

  get msPerRun() {
    return (this.#seconds * 1000) / this.runs;
  }
}

/** Jobs per minute: counts what ends while it keeps the queue filled, then lets the rest end. */
async function pump(api, forMs) {
  const open = new Set();
  const endedAt = [];
  const startedAt = performance.now();
  let isOver = false;
  let wake;
  const submit = async () => {
    const id = await api.runScript(SCRIPT);
    open.add(id);
    // It may have ended before the answer was here.
    if (early.has(id)) take(id, early.get(id));
  };
  const early = new Map();
  const take = (id, state) => {
    if (!open.delete(id)) return early.set(id, state);
    early.delete(id);
    if (state !== 'SUCCEEDED') throw new Error(`a job ended as ${state}`);
    endedAt.push(performance.now());
    if (!isOver) void submit();
    else if (open.size === 0) wake();
    return undefined;
  };
  const following = api.open(ENDED, {}, ({ jobsUpdated: { id, state } }) => {
    if (!['QUEUED', 'STARTING', 'RUNNING'].includes(state)) take(id, state);
  });
  await sleep(50);
  await Promise.all(Array.from({ length: PARALLEL + WAITING }, submit));
  await sleep(forMs);
  isOver = true;
  const until = performance.now();
  await new Promise((resolve) => {
    wake = resolve;
    if (open.size === 0) resolve();
  });
  following.stop();
  return { perMinute: perMinute(endedAt, startedAt, until), count: endedAt.length };
}

async function loop(bare, forMs) {
  const endedAt = [];
  const startedAt = performance.now();
  const until = startedAt + forMs;
  const one = async () => {
    while (performance.now() < until) {
      await bare.runOnce();
      endedAt.push(performance.now());
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, one));
  return { perMinute: perMinute(endedAt, startedAt, until), count: endedAt.length };
}

function perMinute(endedAt, startedAt, until) {
  return endedAt.filter((at) => at <= until).length / ((until - startedAt) / 60_000);
}
