import { setTimeout as sleep } from 'node:timers/promises';
import { alternate } from './alternate.mjs';
import { connect } from './api.mjs';
import { followScript } from './jobs.mjs';
import { startServer } from './server.mjs';
import { summarize } from '../../tools/stats.mjs';

const SCRIPT = 'print("x")\n';
const PAUSE_MS = 50;

/** From `runScript` sent until the first chunk is here, beside the bare workload until its first line is. */
export async function measureCold({ runtime, variables, n, makeBaseline, settle }) {
  const bare = await makeBaseline(SCRIPT);
  const server = await startServer(runtime, variables);
  const api = await connect(server.url);
  const phases = [];
  const answered = [];
  const subject = async () => {
    const { firstChunkMs, answeredMs, timings } = await followScript(api, SCRIPT);
    phases.push(timings);
    answered.push(answeredMs);
    await settle(server);
    return firstChunkMs;
  };
  const samples = await alternate(
    n,
    async () => {
      await sleep(PAUSE_MS);
      return subject();
    },
    async () => {
      await sleep(PAUSE_MS);
      return bare.firstLineMs();
    },
  );
  const [own, base] = [summarize(samples.subject), summarize(samples.baseline)];
  const phase = (name) => summarize(phases.map((each) => each[name] ?? 0)).p50;
  return {
    subject: own,
    baseline: base,
    ratio: own.p50 / base.p50,
    phases: {
      answered: summarize(answered).p50,
      ...Object.fromEntries(['queuedMs', 'startMs', 'runMs', 'collectMs'].map((name) => [name, phase(name)])),
    },
  };
}
