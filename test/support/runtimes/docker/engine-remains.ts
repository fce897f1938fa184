import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '../../wait-for.js';

const CGROUPS = '/sys/fs/cgroup';

/**
 * Ids of the processes of an engine below `folder`: those that name it, and those in the cgroup of that name, which is
 * where an engine whose shims were killed leaves its containers. `command` is part of their command line.
 */
export function processesOf(folder: string, command = ''): number[] {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const isOfEngine = (id: string): boolean => {
    const line = textOf(`/proc/${id}/cmdline`);
    if (!line.includes(command)) return false;
    return line.includes(folder) || textOf(`/proc/${id}/cgroup`).includes(`/${basename(folder)}`);
  };
  return ids.filter(isOfEngine).map(Number);
}

/** Kills them all at once, and waits until there are none. */
export async function killProcessesOf(folder: string, command?: string): Promise<void> {
  await waitFor(() => killAll(processesOf(folder, command)), {
    describe: () => `the end of all below ${folder}`,
  });
}

/** As above for all of them; a shim that is killed leaves its socket, which containerd keeps in a folder of its own. */
export async function crashAllOf(folder: string): Promise<void> {
  const sockets = shimSocketsOf(folder);
  await killProcessesOf(folder);
  for (const path of sockets) await rm(path, { force: true });
}

function shimSocketsOf(folder: string): string[] {
  const state = join(folder, 'c/state');
  if (!existsSync(state)) return [];
  const names = readdirSync(state, { recursive: true, encoding: 'utf8' });
  const addresses = names.filter((name) => basename(name) === 'address');
  return addresses.map((name) => textOf(join(state, name)).replace(/^unix:\/\//, ''));
}

/** Removes whatever an engine below `folder` has left on this machine, the folder included. */
export async function removeRemains(folder: string): Promise<void> {
  await crashAllOf(folder);
  for (const path of mountsBelow(folder)) await promisify(execFile)('umount', ['--lazy', path]);
  for (const path of cgroupsOf(basename(folder))) await removeCgroup(path);
  await rm(folder, { recursive: true, force: true });
}

/** Whether there was nothing to kill. */
function killAll(ids: readonly number[]): boolean {
  for (const id of ids) {
    try {
      process.kill(id, 'SIGKILL');
    } catch {
      // it has ended since it was found
    }
  }
  return ids.length === 0;
}

/** The innermost first. */
function mountsBelow(folder: string): string[] {
  const paths = textOf('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  return paths.filter((path) => path.startsWith(`${folder}/`)).reverse();
}

/** One per hierarchy of cgroup v1, one with v2. */
function cgroupsOf(name: string): string[] {
  return [CGROUPS, ...foldersIn(CGROUPS)]
    .filter((path) => foldersIn(path).includes(join(path, name)))
    .map((path) => join(path, name));
}

async function removeCgroup(path: string): Promise<void> {
  for (const inner of foldersIn(path)) await removeCgroup(inner);
  await rmdir(path);
}

function foldersIn(path: string): string[] {
  const entries = readdirSync(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
}

/** Empty for a process that has ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
