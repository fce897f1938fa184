import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../../common/app-error.js';
import type { Log } from '../../../common/log.js';
import type { WorkspacePaths } from '../../../workspace/workspace-paths.js';
import type { WorkspaceMaker } from '../../../workspace/workspace-maker.js';
import type { RuntimeProvider, WorkloadExit } from '../../runtime-provider.js';
import type { VolumeClaimNames } from '../kubernetes-options.js';
import { runProbe } from './probe-pod.js';

/** Leaves what it was given where the server looks for it: `/input` is read, `/output` is written, `/spool` is. */
const PROBE_SCRIPT = `import os, shutil
shutil.copy(os.environ['INPUT_DIR'] + '/request.json', os.environ['OUTPUT_DIR'] + '/answer.json')
`;

/**
 * Why the server's folders are not the storage of its volume claims, or undefined when they are. Tried with a job of its
 * own, since nothing else tells: a server outside the cluster may have any folder under these names.
 */
export async function storageFault(
  runtime: RuntimeProvider,
  workspaces: WorkspaceMaker,
  volumeClaims: VolumeClaimNames,
  image: string,
  log: Log,
  signal: AbortSignal,
): Promise<string | undefined> {
  const token = randomUUID();
  // INTERNET: nothing is to wait for the network, which it does not use.
  const probe = { script: PROBE_SCRIPT, request: token, image, network: 'INTERNET' } as const;
  return runProbe(
    runtime,
    workspaces,
    probe,
    (exit, workspace) => findFault(exit, workspace, token, volumeClaims),
    log,
    signal,
  );
}

async function findFault(
  exit: WorkloadExit,
  workspace: WorkspacePaths,
  token: string,
  volumeClaims: VolumeClaimNames,
): Promise<string | undefined> {
  if (exit.kind === 'startFailed') return `A probe pod did not start: ${exit.failure.message}`;
  const spool = await readFile(join(workspace.spoolDir, 'log')).catch(() => undefined);
  if (!spool?.length) return notShared('logs', volumeClaims.logs);
  // The pod found no script or request of ours, or something else there.
  if (exit.kind !== 'exited') return `A probe pod did not end by itself (${exit.kind}).`;
  if (exit.exitCode !== 0) return notShared('inputs', volumeClaims.inputs);
  const answer = await readFile(join(workspace.outputDir, 'answer.json'), 'utf8').catch(messageOf);
  return answer === JSON.stringify(token) ? undefined : notShared('outputs', volumeClaims.outputs);
}

function notShared(folder: string, volumeClaim: string): string {
  return `The folder ${folder}/ in WORKSPACE_DIR is not the storage of the claim ${volumeClaim}: what one writes the other does not see.`;
}
