// Starts the built service as a process of our own, and ends it with us.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, createWriteStream, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { PrepareError, ROOT } from '../prepare.mjs';

const START_TIMEOUT_MS = 40_000;
const STOP_TIMEOUT_MS = 15_000;
/** Settings of the environment that decide where jobs run and where data are. */
const KEPT = [
  'DATA_DIR',
  'WORKSPACE_DIR',
  'EXECUTION_RUNTIME',
  'PROCESS_ISOLATION',
  'PROCESS_PYTHON',
  'RUNNER_IMAGE',
];

export async function startService(variables) {
  const dataDir = resolve(process.env.DATA_DIR ?? variables.DATA_DIR ?? join(ROOT, 'data'));
  makeFolder(dataDir);
  const port = process.env.PORT ?? (await freePort(8000)) ?? (await freePort(0));
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'main.js')], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Loopback whatever the environment says: this runs with the least of questions, and so for this machine only.
    env: { ...process.env, ...variables, HOST: '127.0.0.1', PORT: String(port), DATA_DIR: dataDir },
  });
  // Whatever ends us, nothing that we started stays.
  process.once('exit', () => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  const url = await untilListening(child, ended, join(dataDir, 'service.log'));
  return {
    url,
    dataDir,
    startCommand: toCommand(variables, port),
    untilInterrupted: () => Promise.race([ended, once(process, 'SIGINT'), once(process, 'SIGTERM')]),
    stop: () => stop(child, ended),
  };
}

/** The service's words go to a file; of a start that failed they are the answer. */
async function untilListening(child, ended, logPath) {
  const log = createWriteStream(logPath, { flags: 'a' });
  let complaint = '';
  child.stderr.on('data', (data) => {
    complaint += data;
    log.write(data);
  });
  const listening = new Promise((done) => {
    createInterface(child.stdout).on('line', (line) => {
      log.write(`${line}\n`);
      if (line.includes('"msg":"listening"')) done(JSON.parse(line).url);
    });
  });
  const timeout = new Promise((done) => setTimeout(done, START_TIMEOUT_MS).unref());
  const url = await Promise.race([listening, ended.then(() => undefined), timeout]);
  if (typeof url === 'string') return url;
  child.kill('SIGKILL');
  throw new PrepareError(complaint.trim() || `The service did not start in time; its log is ${logPath}.`);
}

async function stop(child, ended) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(killer);
}

/** `port` itself when it is free (any free one for 0), else undefined. */
async function freePort(port) {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
    return probe.address().port;
  } catch {
    return undefined;
  } finally {
    if (probe.listening) await new Promise((done) => probe.close(done));
  }
}

function makeFolder(path) {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new PrepareError(
      `${path} cannot be written to (${error.code}). Name another folder with DATA_DIR.`,
    );
  }
}

/** With what was set for this start alone, so that the next one finds the same data and runs jobs in the same way. */
function toCommand(variables, port) {
  const given = KEPT.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []));
  const settings = {
    ...Object.fromEntries(given),
    ...variables,
    ...(Number(port) === 8000 ? {} : { PORT: port }),
  };
  if (settings.DATA_DIR) settings.DATA_DIR = resolve(settings.DATA_DIR);
  const words = Object.entries(settings).map(([name, value]) => `${name}=${quoted(String(value))}`);
  return [...words, 'npm start'].join(' ');
}

/** As a shell reads it. */
export function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
