import { setMaxListeners } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanUp } from '../../tools/cleanup.mjs';
import { ROOT } from '../../tools/paths.mjs';
import { readOptions, USAGE, UsageError } from './options.mjs';
import { toReport } from './report.mjs';
import { run } from './run.mjs';

/** npm run chaos: kills servers under load and proves that nothing was lost by it. See docs/reliability.md. */
async function main() {
  if (process.argv.includes('--help')) return console.log(USAGE);
  const options = readOptions(process.argv.slice(2));
  if (!existsSync(join(ROOT, 'dist/main.js'))) throw new UsageError('Build the server first: npm run build.');
  const ending = new AbortController();
  // Every job listens to the end of the run.
  setMaxListeners(0, ending.signal);
  for (const name of ['SIGINT', 'SIGTERM'])
    process.on(name, () => {
      ending.abort(new Error(`stopped by ${name}`));
      void cleanUp().finally(() => process.exit(130));
    });
  console.log(
    `seed ${options.seed}: ${options.kills} kills, ${options.runtime}, ${options.database}, ${options.replicas} server(s)`,
  );
  const outcome = await run(options, tellStep(options), ending.signal);
  if (options.history)
    writeFileSync(options.history, outcome.events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  console.log(toReport(outcome));
  return outcome.result.violations.length === 0 ? 0 : 1;
}

function tellStep({ quiet }) {
  const startedAt = performance.now();
  return ({ fault, point, signal, server }, at) => {
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const what = [fault, point, signal].filter(Boolean).join(' ');
    if (!quiet) console.log(`${String(seconds).padStart(5)} s  ${at + 1}. ${what} (server ${server + 1})`);
  };
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : error);
  process.exitCode = 2;
} finally {
  await cleanUp();
}
