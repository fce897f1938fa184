import type { Log } from '../../../common/log.js';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import { messageOf } from '../../../common/app-error.js';
import type { Cluster } from '../api/cluster.js';
import type { VolumeClaimNames } from '../kubernetes-options.js';

/**
 * The node that every pod must run on, or undefined when any will do: a volume claim that one node at a time can mount
 * binds pods to the node where this server has it. A missing volume claim is logged once, here, and again by each pod
 * that waits for it.
 */
export async function requiredNode(
  cluster: Cluster,
  volumeClaims: VolumeClaimNames,
  nodeName: string | undefined,
  log: Log,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const names = [
    volumeClaims.inputs,
    volumeClaims.outputs,
    volumeClaims.logs,
    ...(volumeClaims.datasets ? [volumeClaims.datasets] : []),
  ];
  const shared = await Promise.all(names.map((name) => isShared(cluster, name, log, signal)));
  return shared.every(Boolean) ? undefined : nodeName;
}

async function isShared(cluster: Cluster, name: string, log: Log, signal?: AbortSignal): Promise<boolean> {
  try {
    const volumeClaim = await cluster.volumeClaim(name, signal);
    if (!volumeClaim) {
      log.warn(
        {},
        `There is no claim ${name}; jobs will wait for it: kubectl apply -f k8s/persistent-volumes.yaml`,
      );
    }
    // What was asked for, not what the volume could do besides: that is what binds the scheduler.
    const modes = volumeClaim?.spec.accessModes ?? [];
    return modes.includes('ReadWriteMany') || modes.includes('ReadOnlyMany');
  } catch (error) {
    if (!(error instanceof RuntimeUnavailableError)) throw error;
    log.warn({}, `The claim ${name} cannot be looked at: ${messageOf(error)}`);
    return false;
  }
}
