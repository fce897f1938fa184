import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import { FILTER_FD, RUNNER_FD, STATUS_FD } from '../sandbox/sandbox-arguments.js';
import { NOT_STARTED } from './workload-state.js';

/** In the environment of the launch script and of bwrap: finds processes that have told nobody their pid yet. */
export const WORKLOAD_VARIABLE = 'MAPS_PYTHON_WORKLOAD';

const LAUNCHED_FD = 4;
/** What the last word takes, so that its room is there before the command runs. */
const END_CHARS = 16;

/**
 * The supervisor: `sh -c … <folder> <cgroups, joined by ':'> <runner> <filter> <command…>`. It belongs to no server, so it may
 * count on none. In this order it
 *
 * 1. takes the start lock: `set -C` makes the file exclusively, so of all supervisors of a name one goes on, once;
 * 2. lets the server go on, by closing the pipe that tells it so;
 * 3. joins the workload's cgroups, which what it starts inherits: no script runs outside them for a moment;
 * 4. runs the command and leaves its exit status, which needs no server to be alive. It is written over a placeholder,
 *    since the disk may be full by then, and it is known nowhere else.
 */
const SCRIPT = `
umask 022
read -r stat < /proc/$$/stat
set -C
{ echo "$stat" > "$1/started"; } 2> /dev/null || exit 0
set +C
exec ${LAUNCHED_FD}>&-
folder=$1 groups=$2 runner=$3 filter=$4
shift 4
say() { printf '%-${END_CHARS - 1}s\\n' "$1" 1<> "$folder.exit"; }
give_up() { say ${NOT_STARTED}; exit; }
{ printf '%${END_CHARS}s' '' > "$folder.exit"; } 2> /dev/null || exit
IFS=:
for group in $groups; do echo $$ > "$group/cgroup.procs" || give_up; done
true ${STATUS_FD}> "$folder/status" ${RUNNER_FD}< "$runner" ${FILTER_FD}< "$filter" || give_up
"$@" ${STATUS_FD}> "$folder/status" ${RUNNER_FD}< "$runner" ${FILTER_FD}< "$filter"
say $?
`;

export interface LaunchSpec {
  /** The workload's state folder. */
  readonly folder: string;
  readonly cgroupFolders: readonly string[];
  readonly runnerPath: string;
  /** The filter of system calls. */
  readonly filterPath: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What the command finds on its standard input, at most a pipe's buffer full; undefined: `/dev/null`. */
  readonly input?: string;
}

/** A supervisor takes milliseconds to begin; one that was stopped, or whose disk hangs, may never do so. */
const LAUNCH_TIMEOUT_MS = 30_000;

/**
 * Starts a supervisor, in a session of its own, and waits until it has taken the start lock or given way.
 * @throws RuntimeUnavailableError where it does neither in time; it may do so later
 */
export async function launch(spec: LaunchSpec, timeoutMs = LAUNCH_TIMEOUT_MS): Promise<void> {
  const stderr = openSync(join(spec.folder, 'stderr'), 'a', 0o600);
  try {
    const args = [
      spec.folder,
      spec.cgroupFolders.join(':'),
      spec.runnerPath,
      spec.filterPath,
      ...spec.command,
    ];
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'supervisor', ...args], {
      cwd: '/',
      detached: true,
      env: { PATH: '/usr/bin:/bin', ...spec.env, [WORKLOAD_VARIABLE]: spec.folder },
      stdio: [spec.input === undefined ? 'ignore' : 'pipe', 'ignore', stderr, 'ignore', 'pipe'],
    });
    // Written at once, whole, to the kernel: the workload needs no server to get it. One that has given way reads nothing.
    child.stdin?.on('error', () => undefined).end(spec.input);
    child.unref();
    const launched = child.stdio[LAUNCHED_FD] as Readable | null;
    const limit = AbortSignal.timeout(timeoutMs);
    await new Promise<void>((resolve, reject) => {
      child.once('error', (error) =>
        reject(new RuntimeUnavailableError('This host could not start a process.', error)),
      );
      limit.addEventListener('abort', () => {
        reject(new RuntimeUnavailableError('A supervisor does not say that it has begun.'));
        launched?.destroy();
      });
      launched?.once('close', resolve).resume();
    });
  } finally {
    closeSync(stderr);
  }
}
