import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { atEnd } from '../../tools/cleanup.mjs';
import { removeCgroups } from '../../tools/cgroups.mjs';
import { removeContainers } from '../../tools/engine.mjs';
import { temporaryFolder } from '../../tools/folders.mjs';
import { TICKS_PER_SECOND } from './machine.mjs';
import { parseLogLine, serverVariables, startArguments, stopProcess } from '../../tools/server-process.mjs';

const START_TIMEOUT_MS = 60_000;

/** Starts the built server as a process of its own and waits for its listening line. */
export async function startServer(runtime, variables = {}) {
  const installation = `bench-${randomUUID()}`;
  const dataDir = variables.DATA_DIR ?? (await temporaryFolder());
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...nodeFlags(), ...startArguments()], {
    cwd: dataDir,
    env: {
      ...serverVariables(runtime, installation),
      LOG_LEVEL: 'warn',
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
    /** Ends the server alone: what it has left is still there, until `stop` or the end of the figure. */
    quit: () => stopProcess(child),
    /** Files, sockets and the like that it has open. */
    descriptors: () => readdirSync(`/proc/${child.pid}/fd`).length,
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

async function listening(child) {
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  try {
    for await (const line of createInterface(child.stdout)) {
      const { msg, url } = parseLogLine(line);
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

function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name) => (Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024) / 1e6;
  return { nowMb: megabytes('VmRSS'), peakMb: megabytes('VmHWM') };
}

function cpuSecondsOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
