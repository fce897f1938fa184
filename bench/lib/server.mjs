import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { atEnd } from './cleanup.mjs';
import { removeCgroups } from './cgroups.mjs';
import { removeContainers } from './engine.mjs';
import { temporaryFolder } from './folders.mjs';
import { ROOT } from './paths.mjs';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
/** So that nothing of the caller's own settings gets into a figure. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'DOCKER_HOST'];

/** Starts the built server as a process of its own and waits for its listening line. */
export async function startServer(runtime, variables = {}) {
  const installation = `bench-${randomUUID()}`;
  const dataDir = variables.DATA_DIR ?? (await temporaryFolder());
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...nodeFlags(), ...startArguments()], {
    cwd: ROOT,
    env: {
      ...Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]])),
      EXECUTION_RUNTIME: runtime,
      RUNNER_IMAGE: 'py-exec:slim',
      // As it is deployed: libraries leave checks out that only help to develop.
      NODE_ENV: 'production',
      PORT: '0',
      LOG_LEVEL: 'warn',
      INSTALLATION_ID: installation,
      ...variables,
      DATA_DIR: dataDir,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = atEnd(async () => {
    await stopProcess(child);
    if (runtime === 'docker') await removeContainers(`io.maps-python.installation=${installation}`);
    else if (runtime === 'process') removeCgroups(installation);
  });
  const url = await listening(child);
  return {
    url,
    pid: child.pid,
    dataDir,
    installation,
    startMs: performance.now() - startedAt,
    stop,
    /** Megabytes (10^6) resident now and at most since the start. */
    memory: () => memoryOf(child.pid),
    /** Seconds of CPU used since the start: noise of other programs changes it little. */
    cpuSeconds: () => cpuSecondsOf(child.pid),
  };
}

/** For profiling: BENCH_NODE_FLAGS="--cpu-prof --cpu-prof-dir=…". */
function nodeFlags() {
  return process.env.BENCH_NODE_FLAGS?.split(' ') ?? [];
}

/** As `npm start` does it, without npm between the server and its signals. */
function startArguments() {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return scripts.start.split(' ').slice(1);
}

async function listening(child) {
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  try {
    for await (const line of createInterface(child.stdout)) {
      const { msg, url } = parse(line);
      if (msg === 'listening') {
        child.stdout.resume();
        return url;
      }
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error('the server did not start');
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

async function stopProcess(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}

function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name) => (Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024) / 1e6;
  return { nowMb: megabytes('VmRSS'), peakMb: megabytes('VmHWM') };
}

const TICKS_PER_SECOND = 100;

function cpuSecondsOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
