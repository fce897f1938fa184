import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

/** The processes that share the cgroup of `pid`: all of a workload's. Undefined where it has none of its own. */
export function cgroupOf(pid) {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  for (const line of lines) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line);
    const root = controllers === '' ? CGROUPS : join(CGROUPS, controllers);
    const isOfMemory = controllers.split(',').includes('memory');
    if (isOfMemory || (controllers === '' && existsSync(join(CGROUPS, path, 'memory.current'))))
      return join(root, path);
  }
  return undefined;
}

/** Megabytes (10^6): `pss` counts a page shared by n processes as one n-th of it; `cgroup` includes cached files. */
export function memoryOf(cgroup) {
  const pids = pidsOf(cgroup);
  const sum = (valueOf) => pids.reduce((total, pid) => total + valueOf(pid), 0);
  const v1 = join(cgroup, 'memory.usage_in_bytes');
  const usage = existsSync(v1) ? v1 : join(cgroup, 'memory.current');
  return {
    processes: pids.length,
    rssMb: sum((pid) => rollup(pid, 'Rss')),
    pssMb: sum((pid) => rollup(pid, 'Pss')),
    cgroupMb: Number(readFileSync(usage, 'utf8')) / 1e6,
  };
}

/** Seconds of CPU that the processes of the cgroup have used so far, by the scheduler's own count of nanoseconds. */
export function cpuSecondsOf(cgroup) {
  return pidsOf(cgroup)
    .flatMap((pid) => readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}/schedstat`))
    .reduce((total, path) => total + Number(readFileSync(path, 'utf8').split(' ')[0]) / 1e9, 0);
}

function pidsOf(cgroup) {
  return readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
}

function rollup(pid, name) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)[1]) * 1024) / 1e6;
}
