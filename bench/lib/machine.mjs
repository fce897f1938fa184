import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { engineVersion } from './engine.mjs';
import { ROOT } from './paths.mjs';

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
