import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeCgroups } from '../../../tools/cgroups.mjs';

const CGROUPS = '/sys/fs/cgroup';
/** What the runtime keeps for itself, whatever runs. */
const OF_THE_RUNTIME = /^\.(etc$|seccomp$|runner-)/;

/** Jobs as local processes: what of them is left behind. */
export function processRuntime({ installation, dataDir, isolation }) {
  const folder = join(dataDir, 'process');
  return {
    variables: {
      PROCESS_ISOLATION: isolation,
      PROCESS_PYTHON: pythonFor(isolation),
      // In production a server refuses to run scripts unprotected.
      ...(isolation === 'none' ? { NODE_ENV: 'development' } : {}),
    },
    leftovers: async () => [
      ...taggedWith(folder).map((pid) => `process ${pid}`),
      ...cgroupsOf(installation).map((path) => `cgroup ${path}`),
      ...entriesOf(folder)
        .filter((name) => !OF_THE_RUNTIME.test(name))
        .map((name) => `state folder ${name}`),
    ],
    removeAll: async () => {
      removeCgroups(installation);
      for (const pid of taggedWith(folder)) tryKill(pid);
    },
  };
}

/** Without a sandbox the one of the system: the user of scripts may have no way to root's own. */
export function pythonFor(isolation) {
  return process.env.PROCESS_PYTHON ?? (isolation === 'none' ? '/usr/bin/python3' : 'python3');
}

/** Processes whose environment names a workload of this data folder. */
function taggedWith(folder) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => readText(`/proc/${pid}/environ`).includes(`=${folder}/`));
}

function cgroupsOf(installation) {
  const hierarchies = ['', ...entriesOf(CGROUPS)];
  const families = hierarchies.map((name) => join(CGROUPS, name, 'maps-python', installation));
  return families.flatMap((family) => foldersOf(family).map((name) => join(family, name)));
}

function foldersOf(path) {
  if (!existsSync(path)) return [];
  const entries = readdirSync(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

function entriesOf(path) {
  return existsSync(path) ? readdirSync(path) : [];
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended meanwhile, or is another user's.
    return '';
  }
}

function tryKill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
