import { connect } from '../lib/api.mjs';
import { startNoise } from '../lib/noise.mjs';
import { startServer } from '../lib/server.mjs';
import { summarize } from '../../tools/stats.mjs';
import { LINES, TIMED_SCRIPT, followByCommand, followTimedLines } from '../lib/timed-lines.mjs';

export const title = 'log latency and loss: print → subscriber, alone and beside three jobs that print hard';

const NOISY_JOBS = 3;
const RUNTIMES = [
  { runtime: 'process', name: 'process' },
  { runtime: 'docker', name: 'Docker', followBare: (id) => followByCommand('docker', logsOf(id)) },
];

export async function measure() {
  const figures = [];
  for (const { runtime, name, followBare } of RUNTIMES) {
    const server = await startServer(runtime, { MAX_CONCURRENT_JOBS: String(NOISY_JOBS + 1) });
    const api = await connect(server.url);
    const alone = await readTimedLines(api, followBare);
    const noise = await startNoise(server.url, NOISY_JOBS);
    const beside = await readTimedLines(api, followBare);
    if (noise.isOver()) throw new Error('the other jobs ended before the one that was measured');
    const noiseLines = await noise.lines;
    figures.push(
      { what: `log latency, ${name}, idle (p50)`, unit: 'ms', ...alone },
      { what: `log latency, ${name}, three other jobs print 2 MB/s each (p50)`, unit: 'ms', ...beside },
      {
        // Anything else has made one of the readers fail.
        what: `lines lost or doubled meanwhile, ${name}`,
        unit: 'lines',
        promise: { atMost: 0 },
        subject: { n: 2 * LINES + noiseLines, p50: 0 },
      },
    );
    await server.stop();
  }
  return figures;
}

async function readTimedLines(api, followBare) {
  const id = await api.runScript(TIMED_SCRIPT);
  const [own, bare] = await Promise.all([followTimedLines(api, id), followBare?.(id)]);
  const subject = summarize(own);
  if (!bare) return { subject };
  const baseline = summarize(bare);
  return { subject, baseline, ratio: subject.p50 / baseline.p50 };
}

function logsOf(id) {
  return ['logs', '-f', `runner-${id}`];
}
