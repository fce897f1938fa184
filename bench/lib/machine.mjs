import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { engineVersion } from '../../tools/engine.mjs';
import { ROOT } from '../../tools/paths.mjs';

/** `USER_HZ`, which is 100 on every Linux that Node runs on. */
export const TICKS_PER_SECOND = 100;

/** What the figures depend on; nothing that names the machine. */
export async function describeMachine() {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release().split('-')[0],
    node: process.version,
    docker: await engineVersion().catch(() => 'none'),
    bubblewrap: tryOutput('bwrap', ['--version']),
    python: tryOutput('python3', ['--version']),
    load: Number(loadavg()[0].toFixed(2)),
  };
}

/** What all processes of this machine and its kernel have used so far, seconds: user, nice, system and interrupts. */
export function cpuSecondsOfAll() {
  const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

export function commit() {
  const hash = tryOutput('git', ['-C', ROOT, 'rev-parse', '--short=12', 'HEAD']);
  const changes = tryOutput('git', [
    '-C',
    ROOT,
    'status',
    '--porcelain',
    '--untracked-files=no',
    'src',
    'runner-image',
  ]);
  return changes === '' ? hash : `${hash} with changes`;
}

function tryOutput(program, args) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'none';
  }
}
