import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export const LINES = 400;
const LINES_PER_SECOND = 50;
/** Until whoever reads them has begun to. */
const LEAD_SECONDS = 2;
const FOLLOW = `subscription ($id: ID!) {
  jobLogs(jobId: $id) { chunks { text } job { state message } }
}`;

/** Each line has its number and says when it was printed; script and readers share this machine's clock. */
export const TIMED_SCRIPT = `import time
time.sleep(${LEAD_SECONDS})
for i in range(${LINES}):
    print(i, time.time_ns() / 1e6, flush=True)
    time.sleep(${1 / LINES_PER_SECOND})
`;

/** Milliseconds from each print until a subscriber has the line. @throws when one is missing or comes twice */
export async function followTimedLines(api, id) {
  const latencies = [];
  let rest = '';
  let job;
  await api.subscribe(FOLLOW, { id }, ({ jobLogs }) => {
    const now = wallClockMs();
    for (const { text } of jobLogs.chunks) {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) latencies.push(now - printedAt(line, latencies.length));
    }
    if (jobLogs.job) job = jobLogs.job;
  });
  if (job?.state !== 'SUCCEEDED') throw new Error(`the job ended as ${job?.state}: ${job?.message}`);
  if (latencies.length !== LINES || rest) throw new Error(`${latencies.length} of ${LINES} lines came`);
  return latencies;
}

function printedAt(line, expected) {
  const [number, time] = line.split(' ').map(Number);
  if (number !== expected) throw new Error(`line ${number} came in place of ${expected}`);
  return time;
}

/** The same lines by a command that follows the workload's log, from the moment there is one. */
export async function followByCommand(program, args) {
  for (let tries = 0; tries < 400; tries++) {
    const latencies = [];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    for await (const line of createInterface(child.stdout)) {
      // Until the workload runs, the command says so in words.
      const printed = Number(line.split(' ')[1]);
      if (printed > 0) latencies.push(wallClockMs() - printed);
    }
    if (latencies.length > 0) return latencies;
    await sleep(50);
  }
  throw new Error(`${program} ${args.join(' ')} showed nothing`);
}

function wallClockMs() {
  return performance.timeOrigin + performance.now();
}
