import { connect } from './api.mjs';
import { cleanUp } from '../../tools/cleanup.mjs';

/** `noise-client.mjs <url> <jobs>`: runs jobs that print 2 MB/s each for at least 20 s, and checks every line. */
const [url, jobs] = process.argv.slice(2);
const SECONDS = 20;
const LINES_PER_SECOND = 20_000;
const LINES = SECONDS * LINES_PER_SECOND;
/** With the line feed. */
const LINE_BYTES = 100;
const TICKS_PER_SECOND = 100;
const SCRIPT = `import sys, time
pad = "x" * ${LINE_BYTES - 9}
step = ${LINES_PER_SECOND / TICKS_PER_SECOND}
start = time.time()
for first in range(0, ${LINES}, step):
    sys.stdout.write("".join(["%07d %s\\n" % (i, pad) for i in range(first, first + step)]))
    sys.stdout.flush()
    time.sleep(max(0, start + first / ${LINES_PER_SECOND} - time.time()))
`;
const FOLLOW = `subscription ($id: ID!) { jobLogs(jobId: $id) { chunks { text } job { state message } } }`;

const api = await connect(url);
let printing = 0;
const lines = await Promise.all(Array.from({ length: Number(jobs) }, () => run()));
process.send({ lines: lines.reduce((sum, each) => sum + each, 0) });
await cleanUp();
process.disconnect();

async function run() {
  const id = await api.runScript(SCRIPT);
  let count = 0;
  let rest = '';
  let job;
  await api.subscribe(FOLLOW, { id }, ({ jobLogs }) => {
    if (jobLogs.chunks.length > 0 && count === 0 && ++printing === Number(jobs))
      process.send({ printing: true });
    for (const { text } of jobLogs.chunks) {
      const parts = (rest + text).split('\n');
      rest = parts.pop();
      for (const part of parts) {
        if (Number(part.slice(0, 7)) !== count) throw new Error(`${part} came in place of line ${count}`);
        count += 1;
      }
    }
    if (jobLogs.job) job = jobLogs.job;
  });
  if (job?.state !== 'SUCCEEDED') throw new Error(`the job ended as ${job?.state}: ${job?.message}`);
  if (count !== LINES) throw new Error(`${count} of ${LINES} lines came`);
  return count;
}
