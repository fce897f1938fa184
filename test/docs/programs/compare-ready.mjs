// Compares the sample of a worker's `ready` on standard input with what workers write, one whose modules can be imported and
// one whose cannot.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bundledRunner } from './bundled-runner.mjs';

const DEADLINE_MS = 30_000;

const sample = JSON.parse(await text(process.stdin));
const [whole, broken] = [await readyOf('json'), await readyOf('nosuch')];
const written = { ...whole, failed: broken.failed };
const differences = [
  ...namesOf(written).filter((name) => !namesOf(sample).includes(name)),
  ...namesOf(sample).filter((name) => !namesOf(written).includes(name)),
];
console.log(differences.length === 0 ? 'the same fields' : `not on both sides: ${differences.join(', ')}`);

function namesOf(ready) {
  const nested = (list) => Object.keys(ready[list]?.[0] ?? {}).map((name) => `${list}.${name}`);
  return [...Object.keys(ready), ...nested('preloaded'), ...nested('failed')];
}

async function readyOf(modules) {
  const root = mkdtempSync(join(tmpdir(), 'maps-worker-'));
  const folders = ['job', 'input', 'output', 'spool'].map((name) => [name, join(root, name)]);
  for (const [, folder] of folders) mkdirSync(folder);
  const variables = folders.map(([name, folder]) => [`RUNNER_${name.toUpperCase()}_DIR`, folder]);
  const worker = spawn('python3', ['-u', bundledRunner(root)], {
    stdio: 'ignore',
    env: {
      PATH: process.env.PATH,
      RUNNER_WORKER: '1',
      RUNNER_PRELOAD: modules,
      ...Object.fromEntries(variables),
    },
  });
  try {
    return await readWhenThere(join(root, 'spool', 'ready'));
  } finally {
    worker.kill('SIGTERM');
    await once(worker, 'close');
    rmSync(root, { recursive: true, force: true });
  }
}

/** It appears whole, by a rename. */
async function readWhenThere(path) {
  const until = Date.now() + DEADLINE_MS;
  while (!existsSync(path)) {
    if (Date.now() > until) throw new Error(`the worker was not ready within ${DEADLINE_MS} ms`);
    await delay(20);
  }
  return JSON.parse(readFileSync(path, 'utf8'));
}
