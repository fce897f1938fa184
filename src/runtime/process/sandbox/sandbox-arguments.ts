import { dirname } from 'node:path';
import { RUNNER_FOLDERS } from '../../../runner/files.js';
import type { RunnerUser } from '../../../workspace/runner-user.js';
import type { WorkspacePaths } from '../../../workspace/workspace-paths.js';
import type { SandboxFolders } from './sandbox-folders.js';

/** Descriptors that the launch script opens for bwrap. */
export const STATUS_FD = 3;
export const RUNNER_FD = 5;
export const FILTER_FD = 6;

/** Where the sandbox has the runner. */
const RUNNER = '/runner/job_runner.py';

const MiB = 1024 * 1024;
/** As Docker's default: libraries use it for locks and queues, not for data. */
const SHARED_MEMORY_BYTES = 64 * MiB;

/** What is the same for every sandbox of this server. */
export interface SandboxSetup {
  readonly bwrap: string;
  readonly executable: string;
  readonly folders: SandboxFolders;
  /** Whether FILTER_FD has a filter of system calls; there is none for rare machines. */
  readonly isFiltered: boolean;
  /** The sandbox's own `/etc`. */
  readonly etcDir: string;
  /**
   * Set when the server is root: bwrap then works as root, since only root reaches folders below a closed one (a data
   * folder or an interpreter in /root), and `setpriv` becomes this user before Python. Otherwise bwrap works in a user
   * namespace as the server's own user.
   */
  readonly dropTo?: RunnerUser;
  readonly setpriv: string;
}

/** What is particular to one workload. */
export interface SandboxSpec {
  readonly name: string;
  readonly workspace: WorkspacePaths;
  readonly network: 'NONE' | 'INTERNET';
  readonly tmpBytes: number;
  /** For the runner, beside the base. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The counter of out-of-memory kills: where it is, and where the runner looks for it. */
  readonly oomCounter?: { source: string; target: string };
}

/** The whole command line, from bwrap to the runner. */
export function sandboxCommand(setup: SandboxSetup, spec: SandboxSpec): string[] {
  return [
    setup.bwrap,
    ...namespaces(setup, spec),
    ...environment(setup, spec),
    ...fileSystem(setup, spec),
    ...['--json-status-fd', String(STATUS_FD)],
    ...(setup.isFiltered ? ['--seccomp', String(FILTER_FD)] : []),
    '--',
    ...(setup.dropTo ? dropCommand(setup.setpriv, setup.dropTo) : []),
    setup.executable,
    '-u',
    RUNNER,
  ];
}

function namespaces(setup: SandboxSetup, spec: SandboxSpec): string[] {
  return [
    '--unshare-ipc',
    '--unshare-pid',
    '--unshare-uts',
    '--unshare-cgroup-try',
    ...(spec.network === 'NONE' ? ['--unshare-net'] : []),
    ...(setup.dropTo ? [] : ['--unshare-user', '--disable-userns']),
    ...['--as-pid-1', '--new-session', '--hostname', spec.name],
    ...['--cap-drop', 'ALL'],
    ...(setup.dropTo ? ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'].flatMap((cap) => ['--cap-add', cap]) : []),
  ];
}

function environment(setup: SandboxSetup, spec: SandboxSpec): string[] {
  const variables = { ...baseEnvironment(setup.executable), HOME: '/tmp', ...spec.variables };
  return ['--clearenv', ...Object.entries(variables).flatMap(([name, value]) => ['--setenv', name, value])];
}

export function baseEnvironment(executable: string): { PATH: string; LANG: string } {
  const folders = new Set([dirname(executable), '/usr/local/bin', '/usr/bin', '/bin']);
  return { PATH: [...folders].join(':'), LANG: 'C.UTF-8' };
}

function fileSystem(
  { folders, etcDir }: SandboxSetup,
  { workspace, network, tmpBytes, oomCounter }: SandboxSpec,
): string[] {
  const own = [
    { source: workspace.jobDir, target: RUNNER_FOLDERS.job },
    { source: workspace.inputDir, target: RUNNER_FOLDERS.input },
    ...(oomCounter ? [oomCounter] : []),
  ];
  return [
    ...makeParents([...folders.system, ...folders.python, ...own.map(({ target }) => target), RUNNER]),
    ...folders.links.flatMap(({ path, target }) => ['--symlink', target, path]),
    ...['--ro-bind', etcDir, '/etc'],
    ...readOnly(folders.system),
    // What is in the covers must be made before they are closed.
    ...folders.hidden.flatMap((path) => ['--tmpfs', path]),
    ...makeParents(folders.python),
    ...readOnly(folders.python),
    ...folders.hidden.flatMap((path) => ['--remount-ro', path]),
    ...(network === 'INTERNET' ? readOnly(folders.internet) : []),
    ...own.flatMap(({ source, target }) => ['--ro-bind', source, target]),
    // A copy, so that a runner file which only its owner can read works too.
    ...['--perms', '0444', '--file', String(RUNNER_FD), RUNNER],
    ...[
      '--bind',
      workspace.outputDir,
      RUNNER_FOLDERS.output,
      '--bind',
      workspace.spoolDir,
      RUNNER_FOLDERS.spool,
    ],
    ...['--proc', '/proc', '--dev', '/dev'],
    ...['--perms', '1777', '--size', String(tmpBytes), '--tmpfs', '/tmp'],
    ...['--perms', '1777', '--size', String(Math.min(tmpBytes, SHARED_MEMORY_BYTES)), '--tmpfs', '/dev/shm'],
    // Not /output, which is closed to root without its capabilities; the runner goes there.
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', '/'],
  ];
}

function readOnly(paths: readonly string[]): string[] {
  return paths.flatMap((path) => ['--ro-bind', path, path]);
}

/** Becomes the user for good: without other groups, capabilities or a way to get any back. */
export function dropCommand(setpriv: string, { uid, gid }: RunnerUser): string[] {
  return [
    setpriv,
    ...['--reuid', String(uid), '--regid', String(gid), '--groups', String(gid), '--no-new-privs'],
    ...['--bounding-set', '-all', '--inh-caps', '-all', '--ambient-caps', '-all'],
  ];
}

/** Makes every folder above the paths, outer ones first: bwrap makes missing ones too, but closed to all but root. */
function makeParents(paths: readonly string[]): string[] {
  const found = new Set<string>();
  for (const path of paths) {
    for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) found.add(path.slice(0, at));
  }
  const outerFirst = [...found].sort((a, b) => a.length - b.length);
  return outerFirst.flatMap((path) => ['--dir', path]);
}
