import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { cgroupFolders } from '../../tools/cgroups.mjs';
import { listContainers } from '../../tools/engine.mjs';

/** Not the compiled runner, which all share. */
const WORKLOAD_STATE = /^(\.removed-)?runner-|^\.new-/;
const ROOTS = ['inputs', 'outputs', 'logs'];

/** What a server that has ended, and all of whose jobs have, left behind and should not have: a list of names. */
export async function leftoversOf({ runtime, dataDir, installation }) {
  const containers =
    runtime === 'docker' ? await listContainers(`io.maps-python.installation=${installation}`) : [];
  return [
    ...containers.map((id) => `container ${id}`),
    ...processesOf(dataDir).map((pid) => `process ${pid}`),
    ...cgroupFolders(installation).map((path) => `cgroup ${path}`),
    ...foldersOfNoJob(dataDir).map((path) => `folder ${path}`),
    ...stateOf(dataDir).map((name) => `state of workload ${name}`),
  ];
}

/** Those whose command line or environment names the folder: supervisors, sandboxes, runners and scripts all do. */
function processesOf(dataDir) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const names = (pid, file) => textOf(`/proc/${pid}/${file}`).includes(dataDir);
  return pids.filter((pid) => names(pid, 'cmdline') || names(pid, 'environ'));
}

/** Logs and outputs are a stored job's; inputs are of use only until a job has ended. */
function foldersOfNoJob(dataDir) {
  const database = new DatabaseSync(join(dataDir, 'maps.sqlite'), { readOnly: true });
  const rows = database.prepare('select workspace from attempts').all();
  database.close();
  const stored = new Set(rows.map(({ workspace }) => workspace));
  return ROOTS.flatMap((root) => {
    const folder = workspaceRoot(dataDir, root);
    const isLeft = (name) => root === 'inputs' || !stored.has(name);
    return foldersIn(folder)
      .filter(isLeft)
      .map((name) => join(root, name));
  });
}

/** Where the folders of workloads are when WORKSPACE_DIR is not set. */
export function workspaceRoot(dataDir, root) {
  return join(dataDir, 'workspaces', root);
}

/** What the process runtime remembers of workloads, ends that nobody has read included. */
function stateOf(dataDir) {
  const folder = join(dataDir, 'process');
  return existsSync(folder) ? readdirSync(folder).filter((name) => WORKLOAD_STATE.test(name)) : [];
}

export function foldersIn(folder) {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** Empty for a process that has ended. */
function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
