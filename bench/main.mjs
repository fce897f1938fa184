import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { commit, describeMachine } from './lib/machine.mjs';
import { ROOT } from '../tools/paths.mjs';
import { isKept, toTable } from './lib/report.mjs';

/**
 * npm run bench [-- name… --option=value…]: measures every figure but those that take very long, or those named, one after
 * the other, each in a process of its own. The options are the figures' own. Results go to bench/results/; a run of all
 * figures adds a line to bench/history.jsonl. Ends with 1 where a figure could not be measured or is not as promised.
 */
const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** Measured when they are asked for. */
const LONG = ['soak'];

/** What the figure found, or undefined when it failed. */
function measure(name, options) {
  return new Promise((resolve) => {
    let figures;
    const child = fork(join(FOLDER, 'run-figure.mjs'), [name, JSON.stringify(options)]);
    // Who stops the run stops the figure, which then clears away what it has started.
    const stop = (signal) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM'];
    for (const signal of signals) process.once(signal, stop);
    child.on('message', (message) => (figures = message));
    child.on('close', () => {
      for (const signal of signals) process.off(signal, stop);
      resolve(figures);
    });
  });
}

/** Figures on a cluster are measured where there is one, or when they are asked for. */
function isMeasuredUnasked(name) {
  if (LONG.includes(name)) return false;
  return !name.endsWith('-kubernetes') || Boolean(process.env.KUBECONFIG);
}

/** `--name=value` among the arguments. */
function parseOptions(args) {
  const given = args.filter((arg) => arg.startsWith('--'));
  return Object.fromEntries(given.map((arg) => /^--([^=]+)=?(.*)$/.exec(arg).slice(1)));
}

async function main() {
  const known = (await readdir(join(FOLDER, 'figures'))).map((file) => file.replace(/\.mjs$/, '')).sort();
  const asked = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
  const options = parseOptions(process.argv.slice(2));
  const names = asked.length > 0 ? asked : known.filter(isMeasuredUnasked);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`no figure ${unknown.join(', ')}; there are: ${known.join(', ')}`);
  if (!existsSync(join(ROOT, 'dist/main.js'))) throw new Error('build the server first: npm run build');

  const run = {
    date: new Date().toISOString(),
    commit: commit(),
    machine: await describeMachine(),
    figures: [],
  };
  const failed = [];
  for (const name of names) {
    const startedAt = Date.now();
    const figures = await measure(name, options);
    if (!figures) failed.push(name);
    run.figures.push(...(figures ?? []).map((figure) => ({ name, ...figure, kept: isKept(figure) })));
    console.error(
      `${name}: ${figures ? 'measured' : 'FAILED'} in ${Math.round((Date.now() - startedAt) / 1000)} s`,
    );
  }
  const isWhole = asked.length === 0 && Object.keys(options).length === 0 && failed.length === 0;
  await write(run, isWhole);
  console.log(toTable(run.figures));
  const broken = run.figures.filter(({ kept }) => kept === false).map(({ what }) => what);
  const faults = [
    failed.length > 0 ? `not measured: ${failed.join(', ')}` : '',
    broken.length > 0 ? `not as promised: ${broken.join('; ')}` : '',
  ].filter(Boolean);
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

async function write(run, isWhole) {
  const results = join(FOLDER, 'results');
  await mkdir(results, { recursive: true });
  await writeFile(
    join(results, `${run.date.replaceAll(':', '-')}.json`),
    `${JSON.stringify(run, null, 2)}\n`,
  );
  if (isWhole) await appendFile(join(FOLDER, 'history.jsonl'), `${JSON.stringify(run)}\n`);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
