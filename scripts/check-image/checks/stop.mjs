import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expectEnd } from '../expect.mjs';

const WAITS = 'import time; print("runs"); time.sleep(600)';
const HOLDS_OUT = `
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("asked"))
print("runs")
while True: time.sleep(0.1)
`;

/** Stops, and the deadline. */
export const STOP_CHECKS = [
  {
    title: 'SIGTERM ends the script',
    mend: 'Pass it on to the whole tree, and tell of it as `stopped`.',
    async body(bench) {
      const run = await bench.start(WAITS);
      await run.waitForOutput('runs');
      await run.signal('TERM');
      expectEnd(await run.finish(), 143, { signal: 15, stopped: true, timedOut: false });
    },
  },
  {
    title: 'the stop file ends the script',
    mend: 'Look at the file of RUNNER_STOP_FILE four times a second: a number of seconds and a newline ask for the end.',
    async body(bench, { RUNNER_VARIABLES, STOP_FILE }) {
      const variables = { [RUNNER_VARIABLES.stopFile]: join(bench.seenFolders.job, STOP_FILE) };
      await writeFile(join(bench.folders.job, STOP_FILE), '');
      const run = await bench.start(WAITS, { variables });
      await run.waitForOutput('runs');
      await writeFile(join(bench.folders.job, STOP_FILE), '5\n');
      expectEnd(await run.finish(), 143, { signal: 15, stopped: true, timedOut: false });
    },
  },
  {
    title: 'a script that does not obey is killed after the grace',
    mend: 'Send SIGKILL to the tree `graceSeconds` after SIGTERM.',
    async body(bench) {
      bench.order.graceSeconds = 1;
      const run = await bench.start(HOLDS_OUT);
      await run.waitForOutput('runs');
      await run.signal('TERM');
      const result = await run.finish();
      expectEnd(result, 137, { signal: 9, stopped: true });
    },
  },
  {
    title: 'the time limit ends the script',
    mend: 'Count `timeoutSeconds` from `started`, without a server; tell of it as `timedOut`.',
    async body(bench) {
      bench.order.timeoutSeconds = 1;
      expectEnd(await bench.run(WAITS), 143, { signal: 15, timedOut: true, stopped: false });
    },
  },
];
