import { setTimeout as sleep } from 'node:timers/promises';
import { alternate } from './alternate.mjs';
import { connect } from './api.mjs';
import { dockerLogs } from './docker-logs.mjs';
import { LINES, LOG_SCRIPT, lineChecker } from './log-lines.mjs';
import { startServer } from './server.mjs';
import { summarize } from '../../tools/stats.mjs';

const ROUNDS = 4;
const SAMPLE_MS = 50;
const MAX_LOG_BYTES = String(256 * 1024 * 1024);
const FOLLOW = `subscription ($id: ID!) {
  jobLogs(jobId: $id) { chunks { seq cursor text droppedBytes } damage job { state message } }
}`;

/** A million lines to one subscriber, beside `docker logs -f`; both are read to the end and compared byte for byte. */
export async function measureLogThroughput(runtime) {
  const readDockerLogs = await dockerLogs(LOG_SCRIPT);
  const server = await startServer(runtime, { MAX_LOG_BYTES });
  const api = await connect(server.url);
  const idleMb = server.memory().nowMb;
  let peakMb = idleMb;
  const timer = setInterval(() => (peakMb = Math.max(peakMb, server.memory().nowMb)), SAMPLE_MS);
  const took = await alternate(
    ROUNDS,
    async () => {
      const ms = await readSubscription(api);
      await sleep(500);
      return ms;
    },
    readDockerLogs,
    { warmUps: 1 },
  );
  clearInterval(timer);
  peakMb = Math.max(peakMb, server.memory().peakMb);
  const perSecond = (samples) => summarize(samples.map((ms) => LINES / (ms / 1000)));
  const [own, base] = [perSecond(took.subject), perSecond(took.baseline)];
  return { subject: own, baseline: base, ratio: own.p50 / base.p50, memory: { idleMb, peakMb } };
}

/** Milliseconds from `runScript` sent until the last event is here. */
async function readSubscription(api) {
  const checker = lineChecker();
  let seq = 0;
  let job;
  const startedAt = performance.now();
  const id = await api.runScript(LOG_SCRIPT);
  await api.subscribe(FOLLOW, { id }, ({ jobLogs }) => {
    for (const chunk of jobLogs.chunks) {
      if (chunk.seq !== ++seq) throw new Error(`chunk ${chunk.seq} came in place of ${seq}`);
      if (chunk.droppedBytes !== null) throw new Error(`${chunk.droppedBytes} bytes were dropped`);
      checker.take(chunk.text);
    }
    if (jobLogs.damage) throw new Error(jobLogs.damage);
    if (jobLogs.job) job = jobLogs.job;
  });
  const took = performance.now() - startedAt;
  if (job?.state !== 'SUCCEEDED') throw new Error(`the job ended as ${job?.state}: ${job?.message}`);
  checker.assertComplete();
  return took;
}

/** The two promises: how fast, and with how much memory. */
export function logFigures(name, { memory, ...speed }) {
  return [
    {
      what: `1,000,000 lines of 100 bytes, ${name}`,
      unit: 'lines/s',
      promise: { ratioAtLeast: 4 },
      ...speed,
    },
    {
      what: `server memory at most meanwhile, ${name}`,
      unit: 'MB',
      promise: { atMost: 250 },
      subject: { n: 1, p50: Math.round(memory.peakMb) },
      idleMb: Math.round(memory.idleMb),
    },
  ];
}
