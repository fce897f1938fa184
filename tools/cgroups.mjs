import { existsSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

/** Ends and removes what a server's interrupted jobs left: its workloads outlive it, as they should elsewhere. */
export function removeCgroups(installation) {
  for (const family of familiesOf(installation)) {
    for (const name of folders(family)) remove(join(family, name));
    remove(family);
  }
}

/** The cgroups of a server's workloads, in every hierarchy, or in those whose cgroups have one of these files. */
export function cgroupFolders(installation, ...files) {
  const all = familiesOf(installation).flatMap((family) => folders(family).map((name) => join(family, name)));
  return all.filter((path) => files.length === 0 || files.some((file) => existsSync(join(path, file))));
}

function familiesOf(installation) {
  if (!existsSync(ROOT)) return [];
  const hierarchies = [ROOT, ...folders(ROOT).map((name) => join(ROOT, name))];
  return hierarchies
    .map((path) => join(path, 'maps-python', installation))
    .filter((path) => existsSync(path));
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
