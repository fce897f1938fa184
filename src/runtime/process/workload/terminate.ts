import { sleep } from '../../../common/async/abort.js';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import type { Cgroups } from '../cgroups/cgroups.js';
import { awaitsSignal, sendSignal } from './process-table.js';
import type { WorkloadProcesses } from './workload-processes.js';
import type { WorkloadState } from './workload-state.js';

const SIGTERM = 15;
/** How long a runner may take until it awaits SIGTERM; a PID 1 that does not would never get it. */
const READY_MS = 3000;
/** How long the supervisor may take to write down that its child was killed, before it is killed too. */
const LAST_WORD_MS = 1000;
const KILL_MS = 15_000;
const LOOK_MS = 5;

type Read = () => WorkloadState | undefined;

/** Sends SIGTERM to the runner as soon as it can take it. Returns when it was sent, or when there is nobody to take it. */
export async function askToEnd(
  read: Read,
  processes: WorkloadProcesses,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (!signal?.aborted) {
    const state = read();
    if (!state?.hasStartLock || state.outcome) return;
    const runner = processes.runner(state);
    const isLate = Date.now() > deadline;
    if (runner && (isLate || awaitsSignal(runner, SIGTERM))) return sendSignal(runner, 'SIGTERM');
    if (isLate) return;
    await sleep(LOOK_MS, signal);
  }
}

/**
 * Kills every process of the workload. The scripts' first and the supervisor only when it does not end on its own,
 * because it writes down how its child ended.
 */
export async function killAll(read: Read, processes: WorkloadProcesses, cgroups: Cgroups): Promise<void> {
  const begun = Date.now();
  while (Date.now() < begun + KILL_MS) {
    const state = read();
    if (!state) return;
    if (state.record?.isolation === 'none') cgroups.forbidForks(state.name);
    // A supervisor that is gone writes nothing more, and may have gone before anything told who else there is.
    const isLate = Date.now() > begun + LAST_WORD_MS || !processes.isSupervised(state);
    const victims = isLate ? processes.all(state) : processes.writers(state);
    if (victims.length === 0 && !processes.isSupervised(state)) return;
    for (const pid of victims) sendSignal(pid, 'SIGKILL');
    await sleep(LOOK_MS);
  }
  throw new RuntimeUnavailableError(
    'A process of the workload cannot be killed; the host may be out of order.',
  );
}
