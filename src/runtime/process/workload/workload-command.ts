import { lchown, lstat, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SECRETS_FROM_STDIN } from '../../../runner/secrets.js';
import { RUNNER_VARIABLES, workerVariables } from '../../../runner/variables.js';
import { isRoot, runnerUser } from '../../../workspace/runner-user.js';
import type { WorkloadSpec } from '../../runtime-provider.js';
import type { Machine } from '../sandbox/machine.js';
import type { SandboxSpec } from '../sandbox/sandbox-arguments.js';
import { RUNNER_FD, baseEnvironment, dropCommand, sandboxCommand } from '../sandbox/sandbox-arguments.js';

export interface WorkloadCommand {
  readonly command: readonly string[];
  /** The whole environment of the command; a sandbox sets its own inside. */
  readonly env: Readonly<Record<string, string>>;
}

/** What the supervisor runs for this workload. */
export function workloadCommand(
  machine: Machine,
  etcDir: string,
  spec: WorkloadSpec,
  oomCounter: SandboxSpec['oomCounter'],
): WorkloadCommand {
  const { name, workspace, network, limits } = spec;
  const variables = runnerVariables(spec);
  if (!machine.sandbox) return bareCommand(machine, spec);
  const sandbox = { name, workspace, network, variables, tmpBytes: limits.tmpBytes, oomCounter };
  return { command: sandboxCommand({ ...machine.sandbox, etcDir }, sandbox), env: {} };
}

function runnerVariables(spec: WorkloadSpec): Readonly<Record<string, string>> {
  return { ...(spec.secrets.length > 0 ? SECRETS_FROM_STDIN : {}), ...workerVariables(spec.worker) };
}

/** Without a sandbox. The runner is read by descriptor: its user may have no way through the folders above it. */
function bareCommand({ interpreter, setpriv }: Machine, spec: WorkloadSpec): WorkloadCommand {
  const { name, workspace } = spec;
  const drop = isRoot() ? dropCommand(setpriv, runnerUser()) : [];
  return {
    // The last is for nobody to read, but tells the runner, and what its script forks, from other processes.
    command: [...drop, interpreter.executable, '-u', `/dev/fd/${RUNNER_FD}`, workspace.outputDir],
    env: {
      ...baseEnvironment(interpreter.executable),
      HOME: homeFolder(name),
      [RUNNER_VARIABLES.jobDir]: workspace.jobDir,
      [RUNNER_VARIABLES.inputDir]: workspace.inputDir,
      [RUNNER_VARIABLES.outputDir]: workspace.outputDir,
      [RUNNER_VARIABLES.spoolDir]: workspace.spoolDir,
      ...runnerVariables(spec),
    },
  };
}

/** A workload without a sandbox has no /tmp of its own, so it gets a home. */
function homeFolder(name: string): string {
  return join(tmpdir(), `maps-python-${name}`);
}

/** Makes the home, or finds it; never somebody else's folder, nor one at the end of a link. */
export async function makeHome(name: string): Promise<void> {
  const home = homeFolder(name);
  const { uid, gid } = runnerUser();
  try {
    await mkdir(home, { mode: 0o700 });
  } catch (error) {
    // Another start of the same workload may have made it and not given it away yet.
    const found = await lstat(home);
    if (!found.isDirectory() || (found.uid !== uid && found.uid !== process.getuid?.())) throw error;
  }
  if (isRoot()) await lchown(home, uid, gid);
}

export async function removeHome(name: string): Promise<void> {
  await rm(homeFolder(name), { recursive: true, force: true });
}
