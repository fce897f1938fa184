import { randomUUID } from 'node:crypto';
import { messageOf } from '../../../common/app-error.js';
import { MiB } from '../../../common/bytes.js';
import type { Log } from '../../../common/log.js';
import type { WorkspacePaths } from '../../../workspace/workspace-paths.js';
import type { WorkspaceMaker } from '../../../workspace/workspace-maker.js';
import type { RuntimeProvider, WorkloadExit, WorkloadSpec } from '../../runtime-provider.js';
import { WorkloadStartError } from '../../runtime.errors.js';

const TIMEOUT_SECONDS = 20;
const REMOVAL_MS = 10_000;
const LIMITS = { memoryMb: 128, cpus: 0.5, pids: 32, tmpBytes: MiB };

/** What runs a probe. */
export type ProbeRuntime = Pick<RuntimeProvider, 'start' | 'wait' | 'remove' | 'startTimeoutSeconds'>;

/** Beyond the time that the pod of a probe may take to start: it ends within seconds, or the cluster does not say so. */
export const PROBE_MARGIN_SECONDS = 30;

export interface Probe extends Pick<WorkloadSpec, 'image' | 'network'> {
  script: string;
  request: unknown;
}

/**
 * Runs a script of our own in a pod as a job's is run, and hands how it ended and what it left to `look`. Nothing of it
 * stays; should its removal fail, the sweep of orphans finds it.
 */
export async function runProbe<T>(
  runtime: ProbeRuntime,
  workspaces: WorkspaceMaker,
  { script, request, image, network }: Probe,
  look: (exit: WorkloadExit, workspace: WorkspacePaths) => Promise<T>,
  log: Log,
  signal?: AbortSignal,
): Promise<T> {
  const id = `probe-${randomUUID()}`;
  await workspaces.prepare();
  const timing = { timeoutSeconds: TIMEOUT_SECONDS, graceSeconds: 1 };
  const limits = { addressSpaceBytes: null, processes: null, openFiles: null };
  const identity = { jobId: id, attempt: 1 };
  const order = {
    version: 1 as const,
    ...identity,
    env: {},
    ...timing,
    maxLogBytes: MiB,
    maxOutputBytes: MiB,
    limits,
  };
  const workspace = await workspaces.make(id, {
    script,
    requestText: JSON.stringify(request ?? null),
    files: [],
    order,
  });
  const name = `runner-${id}`;
  const spec = { name, ...identity, image, workspace, limits: LIMITS, network, ...timing, secrets: [] };
  try {
    return await look(await exitOf(runtime, spec, log, signal), workspace);
  } finally {
    await workspaces.discard(id);
  }
}

async function exitOf(
  runtime: ProbeRuntime,
  spec: WorkloadSpec,
  log: Log,
  signal?: AbortSignal,
): Promise<WorkloadExit> {
  let handle: string;
  try {
    handle = await runtime.start(spec, signal);
  } catch (error) {
    if (error instanceof WorkloadStartError) return { kind: 'startFailed', failure: error.failure };
    throw error;
  }
  try {
    return await runtime.wait(handle, signal);
  } finally {
    await runtime
      .remove(handle, AbortSignal.timeout(REMOVAL_MS))
      .catch((error: unknown) => log.warn({}, `The pod ${spec.name} was not removed: ${messageOf(error)}`));
  }
}
