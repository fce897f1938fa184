import type { StartFailure, WorkloadExit } from '../../runtime-provider.js';
import type { ProcessIdentity } from './process-table.js';
import type { WorkloadRecord } from './workload-record.js';

/** Everything that the state folder says about a workload at one moment. */
export interface WorkloadState {
  readonly name: string;
  /** Undefined when `spec.json` was damaged. */
  readonly record: WorkloadRecord | undefined;
  /** Whether a launch script has taken the start lock. From then on a script may have run. */
  readonly hasStartLock: boolean;
  /** The launch script, which stays as the parent of what it starts. Undefined for the moment it takes to write. */
  readonly supervisor: ProcessIdentity | undefined;
  /** What bwrap has reported. */
  readonly sandbox: SandboxStatus;
  /** The launch script's last word, undefined before that. */
  readonly outcome: LaunchOutcome | undefined;
  /** What bwrap, `setpriv` and the runner said on their standard error; the script cannot write there. */
  readonly complaint: string;
}

export interface SandboxStatus {
  /** The sandbox's PID 1, as the host numbers it. */
  childPid?: number;
  /** Inode of the sandbox's PID namespace, which tells its processes from later ones with the same pid. */
  pidNamespace?: number;
  /** bwrap reports it only when the runner had been executed. */
  exitCode?: number;
}

export type LaunchOutcome = { kind: 'ended'; status: number } | { kind: 'notStarted' };

/** The word of the launch script when it could not join the workload's cgroups. */
export const NOT_STARTED = 'not-started';

/** Reads `<name>.exit`; undefined while it is absent or half written. */
export function parseOutcome(text: string | undefined): LaunchOutcome | undefined {
  if (!text?.endsWith('\n')) return undefined;
  const word = text.trim();
  return word === NOT_STARTED ? { kind: 'notStarted' } : { kind: 'ended', status: Number(word) };
}

/** Reads the JSON objects that `bwrap --json-status-fd` appends, one a line; the last may be half written. */
export function parseSandboxStatus(text: string): SandboxStatus {
  const status: SandboxStatus = {};
  for (const line of text.split('\n').slice(0, -1)) {
    try {
      const fields = JSON.parse(line) as Record<string, number>;
      status.childPid ??= fields['child-pid'];
      status.pidNamespace ??= fields['pid-namespace'];
      status.exitCode ??= fields['exit-code'];
    } catch {
      // Nothing that this version of bwrap says in another way is needed.
    }
  }
  return status;
}

/** Shells report a child that a signal ended as 128 + its number; what bwrap itself returns is below. */
const FIRST_SIGNAL_STATUS = 129;

/** How a workload ended of which no process lives any more. */
export function toExit(state: WorkloadState, oomKilled: boolean): WorkloadExit {
  if (!state.hasStartLock) return { kind: 'neverStarted' };
  const { outcome, sandbox, record } = state;
  if (sandbox.exitCode !== undefined) return { kind: 'exited', exitCode: sandbox.exitCode, oomKilled };
  if (outcome?.kind === 'notStarted') return startFailed(state);
  if (!record || !outcome)
    return lost('The process that supervised the workload ended without telling how that ended.');
  if (record.isolation === 'none') return { kind: 'exited', exitCode: outcome.status, oomKilled };
  if (outcome.status < FIRST_SIGNAL_STATUS) return startFailed(state);
  return lost(`The sandbox program was ended by signal ${outcome.status - 128}.`);
}

function startFailed({ complaint }: WorkloadState): WorkloadExit {
  const failure: StartFailure = {
    kind: 'failed',
    message: `The sandbox could not be set up: ${complaint || 'no reason was given'}.`,
    retryable: true,
  };
  return { kind: 'startFailed', failure };
}

function lost(message: string): WorkloadExit {
  return { kind: 'lost', message };
}
