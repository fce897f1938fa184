import { accessSync, constants } from 'node:fs';
import { mkdtemp, mkdir, rm, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isRoot, runnerUser } from '../../../workspace/runner-user.js';
import { workspacePaths } from '../../../workspace/workspace-paths.js';
import type { Interpreter } from '../interpreter.js';
import { askInterpreter } from '../interpreter.js';
import type { ProcessRuntimeOptions } from '../process-options.js';
import { closedFolder } from './reachable.js';
import { runCommand } from '../run-command.js';
import type { SandboxSetup } from './sandbox-arguments.js';
import { FILTER_FD, RUNNER_FD, STATUS_FD, sandboxCommand } from './sandbox-arguments.js';
import { writeSandboxEtc } from './sandbox-etc.js';
import { seccompFilter } from './seccomp-filter.js';
import { sandboxFolders } from './sandbox-folders.js';

/** The programs that run workloads on this machine, tried out. */
export interface Machine {
  readonly interpreter: Interpreter;
  /** One for people: `bubblewrap 0.8.0, Python 3.11.2`. */
  readonly description: string;
  /** Absent without isolation. Its `etcDir` is the caller's to fill. */
  readonly sandbox?: Omit<SandboxSetup, 'etcDir'>;
  readonly setpriv: string;
}

/** Looks what is there and tries it; a sentence that says what is missing, and what mends it, where it does not do. */
export async function examineMachine(
  options: Pick<ProcessRuntimeOptions, 'python' | 'isolation'>,
  signal?: AbortSignal,
): Promise<Machine | string> {
  if (process.platform !== 'linux') return 'Local processes need Linux; set EXECUTION_RUNTIME=docker.';
  const interpreter = await askInterpreter(options.python, signal);
  if (typeof interpreter === 'string') return interpreter;
  const setpriv = await findProgram('setpriv', signal);
  if (isRoot() && !setpriv)
    return 'setpriv is missing, with which root becomes another user; apt-get install util-linux.';
  const common = { interpreter, setpriv: setpriv ?? '' };
  if (options.isolation === 'bubblewrap') return examineSandbox(common, signal);
  const closed = isRoot() && (await closedFolder(dirname(interpreter.executable), runnerUser()));
  if (closed)
    return `The user of scripts may not pass through ${closed} to Python; set PROCESS_PYTHON to another.`;
  return { ...common, description: `Python ${interpreter.version}, no sandbox` };
}

async function examineSandbox(
  common: Pick<Machine, 'interpreter' | 'setpriv'>,
  signal?: AbortSignal,
): Promise<Machine | string> {
  const { interpreter, setpriv } = common;
  const bwrap = await findProgram('bwrap', signal);
  if (!bwrap) return `bubblewrap is missing; apt-get install bubblewrap, or ${UNPROTECTED}.`;
  const version = await runCommand(bwrap, ['--version'], signal);
  const sandbox = {
    bwrap,
    setpriv,
    executable: interpreter.executable,
    folders: sandboxFolders(interpreter),
    isFiltered: seccompFilter(process.arch) !== undefined,
    dropTo: isRoot() ? runnerUser() : undefined,
  };
  const refusal = await trySandbox(sandbox, signal);
  if (refusal !== undefined) return refusal;
  return { ...common, sandbox, description: `${version.stdout.trim()}, Python ${interpreter.version}` };
}

const UNPROTECTED = 'set PROCESS_ISOLATION=none to run scripts unprotected';

/** Makes a sandbox just as a workload gets it and runs the interpreter in it; what is wrong, or undefined. */
async function trySandbox(
  sandbox: Omit<SandboxSetup, 'etcDir'>,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'maps-python-probe-'));
  try {
    const command = await probeCommand(sandbox, folder);
    // The launch script opens these descriptors for a workload.
    const script = `exec "$@" ${STATUS_FD}>/dev/null ${RUNNER_FD}<"$0/runner.py" ${FILTER_FD}<"$0/filter"`;
    const { exitCode, stdout, stderr } = await runCommand(
      '/bin/sh',
      ['-c', script, folder, ...command],
      signal,
    );
    if (exitCode === 0 && stdout === 'in the sandbox\n') return undefined;
    return (
      `bubblewrap cannot make a sandbox here (${stderr || `exit code ${exitCode}`}): user namespaces or mounts are ` +
      `forbidden on this host (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, or a container ` +
      `without the right to mount); allow them, or ${UNPROTECTED}.`
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function probeCommand(sandbox: Omit<SandboxSetup, 'etcDir'>, folder: string): Promise<string[]> {
  const workspace = workspacePaths(folder, 'probe');
  for (const path of [workspace.inputDir, workspace.jobDir, workspace.outputDir, workspace.spoolDir]) {
    await mkdir(path, { recursive: true });
  }
  await writeSandboxEtc(join(folder, 'etc'), runnerUser());
  await writeFile(join(folder, 'filter'), seccompFilter(process.arch) ?? '');
  await writeFile(join(folder, 'runner.py'), 'print("in the sandbox")\n');
  await chmod(folder, 0o755);
  const setup = { ...sandbox, etcDir: join(folder, 'etc') };
  return sandboxCommand(setup, { name: 'probe', workspace, network: 'NONE', tmpBytes: 1024 * 1024 });
}

/** A service's PATH may lack the system's own folders. */
const SYSTEM_FOLDERS = '/usr/bin:/bin:/usr/sbin:/usr/local/bin';

/** The absolute path of a program, found as a shell of this server finds it. */
async function findProgram(name: string, signal?: AbortSignal): Promise<string | undefined> {
  const script = `PATH="$PATH:${SYSTEM_FOLDERS}" && command -v "$0"`;
  const { stdout } = await runCommand('/bin/sh', ['-c', script, name], signal);
  const path = stdout.trim();
  return path.startsWith('/') && isExecutable(path) ? path : undefined;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
