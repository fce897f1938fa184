import { existsSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

/** Ends and removes what a server's interrupted jobs left: its workloads outlive it, as they should elsewhere. */
export function removeCgroups(installation) {
  if (!existsSync(ROOT)) return;
  const hierarchies = [ROOT, ...folders(ROOT).map((name) => join(ROOT, name))];
  for (const hierarchy of hierarchies) {
    const family = join(hierarchy, 'maps-python', installation);
    if (!existsSync(family)) continue;
    for (const name of folders(family)) remove(join(family, name));
    remove(family);
  }
}

function remove(cgroup) {
  const pids = readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').map(Number).filter(Boolean);
  for (const pid of pids) tryKill(pid);
  for (let tries = 0; existsSync(cgroup) && tries < 100; tries++) {
    try {
      rmdirSync(cgroup);
    } catch {
      // The kernel still holds the last process.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function tryKill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function folders(path) {
  const entries = readdirSync(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
