import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../common/app-error.js';
import { MiB } from '../../common/bytes.js';
import type { Workspaces } from '../../workspace/workspaces.js';
import type { RuntimeProvider, WorkloadExit, WorkloadSpec } from '../runtime-provider.js';
import { WorkloadStartError } from '../runtime.errors.js';
import type { ClaimNames } from './kubernetes-options.js';

const PROBE_TIMEOUT_SECONDS = 20;
const LIMITS = { memoryMb: 128, cpus: 0.5, pids: 32, tmpBytes: MiB };

/** Leaves what it was given where the server looks for it: `/input` is read, `/output` is written, `/spool` is. */
const PROBE_SCRIPT = `import os, shutil
shutil.copy(os.environ['INPUT_DIR'] + '/request.json', os.environ['OUTPUT_DIR'] + '/answer.json')
`;

/**
 * Why the server's folders are not the storage of its claims, or undefined when they are. Tried with a job of its own,
 * since nothing else tells: a server outside the cluster may have any folder under these names.
 */
export async function storageFault(
  runtime: RuntimeProvider,
  workspaces: Workspaces,
  claims: ClaimNames,
  image: string,
): Promise<string | undefined> {
  const id = `probe-${randomUUID()}`;
  const token = randomUUID();
  await workspaces.prepare();
  const workspace = await workspaces.make(id, {
    script: PROBE_SCRIPT,
    request: token,
    files: [],
    order: {
      version: 1,
      jobId: id,
      attempt: 1,
      env: {},
      timeoutSeconds: PROBE_TIMEOUT_SECONDS,
      graceSeconds: 1,
      maxLogBytes: MiB,
      maxOutputBytes: MiB,
      limits: { addressSpaceBytes: null, processes: null, openFiles: null },
    },
  });
  const spec: WorkloadSpec = {
    name: `runner-${id}`,
    jobId: id,
    attempt: 1,
    image,
    workspace,
    limits: LIMITS,
    network: 'NONE',
    timeoutSeconds: PROBE_TIMEOUT_SECONDS,
    graceSeconds: 1,
    secrets: [],
  };
  try {
    const exit = await runProbe(runtime, spec);
    return await findFault(exit, spec, token, claims);
  } finally {
    await workspaces.remove(id);
  }
}

async function runProbe(runtime: RuntimeProvider, spec: WorkloadSpec): Promise<WorkloadExit> {
  let handle: string;
  try {
    handle = await runtime.start(spec);
  } catch (error) {
    if (error instanceof WorkloadStartError) return { kind: 'startFailed', failure: error.failure };
    throw error;
  }
  try {
    return await runtime.wait(handle);
  } finally {
    await runtime.remove(handle);
  }
}

async function findFault(
  exit: WorkloadExit,
  { workspace }: WorkloadSpec,
  token: string,
  claims: ClaimNames,
): Promise<string | undefined> {
  if (exit.kind === 'startFailed') return `A probe pod did not start: ${exit.failure.message}`;
  const spool = await readFile(join(workspace.spoolDir, 'log')).catch(() => undefined);
  if (!spool?.length) return notShared('logs', claims.logs);
  // The pod found no script or request of ours, or something else there.
  if (exit.kind !== 'exited') return `A probe pod did not end by itself (${exit.kind}).`;
  if (exit.exitCode !== 0) return notShared('inputs', claims.inputs);
  const answer = await readFile(join(workspace.outputDir, 'answer.json'), 'utf8').catch(messageOf);
  return answer === JSON.stringify(token) ? undefined : notShared('outputs', claims.outputs);
}

function notShared(folder: string, claim: string): string {
  return `The folder ${folder}/ in WORKSPACE_DIR is not the storage of the claim ${claim}: what one writes the other does not see.`;
}
