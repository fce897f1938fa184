import { readFileSync, readdirSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WORKLOAD_VARIABLE } from '../../../../src/runtime/process/workload/launch.js';
import { hostScope, scopeText } from '../../../../src/runtime/process/cgroups/host-scope.js';
import { handleOf } from '../../../../src/runtime/process/workload/process-handle.js';
import { probeProcess } from '../../../../src/runtime/process/sandbox/probe.js';
import { startedWith } from '../../../../src/runtime/process/workload/process-table.js';
import { WorkloadFolders } from '../../../../src/runtime/process/workload/workload-folders.js';
import { toRecord } from '../../../../src/runtime/process/workload/workload-record.js';
import { isRoot } from '../../../../src/workspace/runner-user.js';
import type { WorkloadSpec } from '../../../../src/runtime/runtime-provider.js';
import type { RuntimeHooks } from '../runtime-bench.js';
import { isRequired } from '../runtime-tier.js';
import { waitFor } from '../../wait-for.js';

const CAP_SYS_PTRACE = 1n << 19n;

export type Isolation = 'bubblewrap' | 'none';

type Probe = Awaited<ReturnType<typeof probeProcess>>;

/** Without a sandbox the one of the system: the user of scripts may have no way to root's own. */
export function testPython(isolation: Isolation): string {
  return process.env.PROCESS_PYTHON ?? (isolation === 'none' ? '/usr/bin/python3' : 'python3');
}

/** Why processes cannot be tested on this machine, if so, and with what they are. */
export async function lookForProcess(
  isolation: Isolation,
): Promise<{ unavailable: string | undefined; used: string }> {
  const { fits, reason } = await probe(isolation);
  return { unavailable: fits ? undefined : reason, used: reason };
}

/** Local processes as a test uses them that is about something else: in a sandbox where there can be one. */
export interface UsableProcess {
  isolation: Isolation;
  /** Why there are none at all. */
  unavailable: string | undefined;
  /** With what, and why without a sandbox. */
  used: string;
  /** For a service that runs its jobs so. */
  variables: Record<string, string>;
}

/** Without a sandbox only where TEST_REQUIRE does not name `process`: that is a sandbox. */
export async function findProcess(): Promise<UsableProcess> {
  const sandboxed = await probe('bubblewrap');
  if (sandboxed.fits || isRequired('process')) return usable('bubblewrap', sandboxed, sandboxed.reason);
  const plain = await probe('none');
  return usable('none', plain, `${plain.reason}, since: ${sandboxed.reason}`);
}

function probe(isolation: Isolation): Promise<Probe> {
  return probeProcess({ python: testPython(isolation), isolation });
}

function usable(isolation: Isolation, { fits, reason }: Probe, used: string): UsableProcess {
  const variables = {
    EXECUTION_RUNTIME: 'process',
    PROCESS_ISOLATION: isolation,
    PROCESS_PYTHON: testPython(isolation),
  };
  return { isolation, unavailable: fits ? undefined : reason, used, variables };
}

/** Does to processes and their records what an operator with `kill` and `rm` may do. */
export class ProcessBackdoor implements RuntimeHooks {
  /** Set as soon as the suite has made its data folder. */
  dataDir = '';

  constructor(
    readonly installationId: string,
    private readonly isolation: Isolation,
  ) {}

  get folders(): WorkloadFolders {
    return new WorkloadFolders(join(this.dataDir, 'process'));
  }

  async makeWithoutStart(spec: WorkloadSpec): Promise<string> {
    const { installationId, isolation } = this;
    const scope = scopeText(hostScope());
    this.folders.create(spec.name, toRecord(spec, { scope, installationId, isolation }));
    return handleOf(scope, this.folders.read(spec.name)!);
  }

  async removeBehind(_handle: string, spec: WorkloadSpec): Promise<void> {
    const pids = this.processesOf(spec);
    await rm(this.folders.path(spec.name), { recursive: true });
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  }

  /**
   * What /proc shows of the workload's processes. The script's is among them: it is a fork of the runner, so that it
   * shows what the runner was started with.
   */
  async describe(_handle: string, spec: WorkloadSpec): Promise<string> {
    const pids = this.processesOf(spec);
    return pids
      .flatMap((pid) => ['cmdline', 'environ'].map((file) => readText(`/proc/${pid}/${file}`)))
      .join('\n');
  }

  /** The supervisor, what it supervises, and everything in the workload's cgroups. */
  processesOf({ name }: Pick<WorkloadSpec, 'name'>): number[] {
    const { supervisor, sandbox, record } = this.folders.read(name)!;
    // The runner hides its environment, and not its arguments, in which without a sandbox this folder is.
    const tagged = startedWith([`${WORKLOAD_VARIABLE}=${this.folders.path(name)}`, record!.outputDir]);
    const grouped = cgroupsOf(join(this.installationId, name)).flatMap(membersOf);
    const known = [supervisor?.pid ?? 0, sandbox.childPid ?? 0, ...tagged, ...grouped];
    return [...new Set(known)].filter((pid) => pid > 0 && readdirSync('/proc').includes(String(pid)));
  }

  async leftovers(): Promise<string[]> {
    const folders = (await readdir(this.folders.root)).filter(
      (entry) => !/^\.(etc$|seccomp$|runner-)/.test(entry),
    );
    const pids = allTagged(this.folders.root);
    return [
      ...folders.map((entry) => `folder ${entry}`),
      ...pids.map((pid) => `process ${pid}`),
      ...cgroupsOf(this.installationId).map((path) => `cgroup ${path}`),
    ];
  }
}

/** Waits for processes that were just killed, or have just ended, to leave the process table. */
export async function gone(pids: readonly number[]): Promise<void> {
  const left = (): number[] => pids.filter((pid) => readdirSync('/proc').includes(String(pid)));
  await waitFor(() => left().length === 0, {
    describe: () => `the end of ${pids.join()} (left: ${left().join()})`,
  });
}

/**
 * Why processes that have left their parents are not found here, if so: without a cgroup it takes their environment, and
 * root may read that of another user only with a capability that containers seldom have.
 */
export function whyNoStrays(isolation: Isolation, missing: readonly string[]): string | undefined {
  const seesAll =
    BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(readText('/proc/self/status'))?.[1] ?? '0'}`) & CAP_SYS_PTRACE;
  if (isolation !== 'none' || missing.length === 0 || !isRoot() || seesAll) return undefined;
  return 'what a killed runner leaves without a sandbox, since root may not look into processes of others here';
}

function allTagged(root: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid && pid !== process.pid && readText(`/proc/${pid}/environ`).includes(`=${root}/`));
}

function cgroupsOf(path: string): string[] {
  const hierarchies = ['', ...list('/sys/fs/cgroup')];
  const folders = hierarchies.map((hierarchy) => join('/sys/fs/cgroup', hierarchy, 'maps-python', path));
  return folders.filter((folder) => list(folder).length > 0);
}

function membersOf(folder: string): number[] {
  return readText(join(folder, 'cgroup.procs')).split('\n').map(Number).filter(Boolean);
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
