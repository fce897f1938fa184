import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connect } from '../lib/api.mjs';
import { atEnd } from '../../tools/cleanup.mjs';
import { startServer } from '../lib/server.mjs';
import { quantile, summarize } from '../../tools/stats.mjs';

export const title = '1,000 subscribers on one job that prints 100 lines a second';

const CLIENT = fileURLToPath(new URL('../lib/crowd-client.mjs', import.meta.url));
const SUBSCRIBERS = 1000;
const PROCESSES = 2;
const LINES = 1500;
const LINES_PER_SECOND = 100;
/** Until all have subscribed; what is printed before that would measure their arrival. */
const LEAD_SECONDS = 8;

const SCRIPT = `import time
start = time.time() + ${LEAD_SECONDS}
for i in range(${LINES}):
    time.sleep(max(0, start + i / ${LINES_PER_SECOND} - time.time()))
    print("%.6f" % time.time())
`;

export async function measure() {
  const server = await startServer('process');
  const api = await connect(server.url);
  const cpuBefore = server.cpuSeconds();
  const id = await api.runScript(SCRIPT);
  const crowds = await Promise.all(Array.from({ length: PROCESSES }, () => crowd(server.url, id)));
  const received = (await Promise.all(crowds.map((each) => each.done))).flat();
  const lines = received.flatMap((each) => each.lines);
  if (lines.length !== SUBSCRIBERS || lines.some((count) => count !== LINES)) {
    throw new Error(`some subscribers missed lines: ${Math.min(...lines)} of ${LINES}`);
  }
  const latencies = Float64Array.from(received.flatMap((each) => [...each.latencies])).sort();
  const p99 = quantile(latencies, 0.99);
  const { p50, p95, min, max } = summarize(latencies);
  return [
    {
      what: '1,000 subscribers, print → received, p99',
      unit: 'ms',
      promise: { atMost: 250 },
      subject: { n: latencies.length, p50: Math.round(p99), min, max },
      latency: { p50, p95, p99 },
      serverCpuSeconds: server.cpuSeconds() - cpuBefore,
      serverPeakMb: Math.round(server.memory().peakMb),
    },
  ];
}

/** Resolves when all subscribers of one process are connected. */
async function crowd(url, id) {
  const args = [url, id, String(SUBSCRIBERS / PROCESSES)];
  const child = fork(CLIENT, args, { serialization: 'advanced' });
  atEnd(async () => child.kill());
  // Its last message may still be on the way when it has ended well.
  const failed = new Promise((_, reject) => {
    child.once('exit', (code) => code !== 0 && reject(new Error('a process of subscribers failed')));
  });
  const messages = [];
  let wake = () => undefined;
  child.on('message', (message) => {
    messages.push(message);
    wake();
  });
  const next = async () => {
    if (messages.length === 0) await Promise.race([failed, new Promise((resolve) => (wake = resolve))]);
    return messages.shift();
  };
  await next();
  return { done: next() };
}
