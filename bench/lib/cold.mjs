import { setTimeout as sleep } from 'node:timers/promises';
import { alternate } from './alternate.mjs';
import { connect } from './api.mjs';
import { followScript } from './jobs.mjs';
import { startServer } from './server.mjs';
import { summarize } from '../../tools/stats.mjs';

const SCRIPT = 'print("x")\n';
const PAUSE_MS = 50;

/**
 * From `runScript` sent until the first chunk is here, and until the verdict is, beside the bare workload until its first line
 * and its end.
 */
export async function measureCold({ runtime, variables, n, makeBaseline, settle }) {
  const bare = await makeBaseline(SCRIPT);
  const server = await startServer(runtime, variables);
  const api = await connect(server.url);
  const timed = [];
  const answered = [];
  const subject = async () => {
    const { firstChunkMs, verdictMs, answeredMs, timings } = await followScript(api, SCRIPT);
    timed.push(timings);
    answered.push(answeredMs);
    await settle(server);
    return { firstMs: firstChunkMs, endMs: verdictMs };
  };
  const samples = await alternate(
    n,
    async () => {
      await sleep(PAUSE_MS);
      return subject();
    },
    async () => {
      await sleep(PAUSE_MS);
      return bare.run();
    },
  );
  const phase = (name) => summarize(timed.map((each) => each[name] ?? 0)).p50;
  const phases = {
    answered: summarize(answered).p50,
    ...Object.fromEntries(['queuedMs', 'startMs', 'runMs', 'collectMs'].map((name) => [name, phase(name)])),
  };
  return { first: compare(samples, 'firstMs'), end: compare(samples, 'endMs'), phases };
}

function compare(samples, moment) {
  const summary = (side) => summarize(samples[side].map((each) => each[moment]));
  const [subject, baseline] = [summary('subject'), summary('baseline')];
  return { subject, baseline, ratio: subject.p50 / baseline.p50 };
}

/** A row for the start and one for the verdict; `promises` are ratios at most. */
export function coldFigures(where, { first, end, phases }, promises = {}) {
  const promise = (ratioAtMost) => (ratioAtMost === undefined ? {} : { promise: { ratioAtMost } });
  return [
    { what: `cold start, ${where} (p50)`, unit: 'ms', ...promise(promises.start), ...first, phases },
    { what: `verdict, cold, ${where} (p50)`, unit: 'ms', ...promise(promises.verdict), ...end },
  ];
}
