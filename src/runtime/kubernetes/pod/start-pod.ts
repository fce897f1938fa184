import type { V1Pod } from '@kubernetes/client-node';
import { messageOf } from '../../../common/app-error.js';
import type { Log } from '../../../common/log.js';
import type { WorkloadSpec } from '../../runtime-provider.js';
import { RuntimeUnavailableError, WorkloadStartError } from '../../runtime.errors.js';
import { ApiStatusError, refusalSentence } from '../api/api.errors.js';
import type { Cluster } from '../api/cluster.js';
import { INSTALLATION_LABEL } from '../labels.js';
import type { NetworkGate } from './network-gate.js';
import type { ObservedObject, ObservedPod } from '../observed-pod.js';
import { toCreateFailure } from './start-failure.js';
import { hasContent, toConfigMap } from './to-config-map.js';
import type { PodTemplate } from './to-pod.js';
import { toPod } from './to-pod.js';

/**
 * Makes the ConfigMap and the pod of a workload, or finds the pod of this name: two requests where nothing is in the
 * way. The pod is started by the cluster; without its ConfigMap it cannot be, so one that lost it never runs. A worker has
 * no ConfigMap: what it is to run comes into the volume claim, later.
 */
export async function startPod(
  cluster: Cluster,
  spec: WorkloadSpec,
  template: PodTemplate,
  log: Log,
  gate?: NetworkGate,
): Promise<{ pod: ObservedPod; isNew: boolean }> {
  const configMap = spec.worker ? undefined : await toConfigMap(spec, template);
  const pod = toPod(spec, template, configMap !== undefined && hasContent(configMap), gate);
  if (configMap) await create(() => cluster.createConfigMap(configMap), spec.image);
  try {
    const made = await create(() => cluster.createPod(pod), spec.image);
    return made ? { pod: made, isNew: true } : { pod: await findOwn(cluster, pod), isNew: false };
  } catch (error) {
    if (error instanceof WorkloadStartError) await clear(cluster, spec.name, template.installationId, log);
    throw error;
  }
}

/** Undefined when there is an object of this name already. */
async function create<T>(make: () => Promise<T>, image: string): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof ApiStatusError)) throw error;
    if (error.status === 409 && error.reason === 'AlreadyExists') return undefined;
    const failure = toCreateFailure(error, image);
    throw failure
      ? new WorkloadStartError(failure, error)
      : new RuntimeUnavailableError(refusalSentence(error), error);
  }
}

async function findOwn(cluster: Cluster, { metadata }: V1Pod): Promise<ObservedPod> {
  const name = metadata?.name ?? '';
  const found = await cluster.findPod(name);
  if (!found) throw new RuntimeUnavailableError(`The pod ${name} was there and is gone; asking again.`);
  if (isOf(found, metadata?.labels?.[INSTALLATION_LABEL])) return found;
  throw new WorkloadStartError({
    kind: 'refused',
    message: `A pod named ${name} is there already, and it is not of this installation.`,
    hint: 'Two installations share the namespace; give each its own K8S_NAMESPACE.',
    retryable: false,
  });
}

function isOf({ metadata }: ObservedObject, installationId: string | undefined): boolean {
  return metadata.labels?.[INSTALLATION_LABEL] === installationId;
}

/** Nothing of ours stays of a pod that was refused; should even that fail, the sweep of orphans finds it. */
async function clear(cluster: Cluster, name: string, installationId: string, log: Log): Promise<void> {
  try {
    const found = await cluster.findConfigMap(name);
    if (found && isOf(found, installationId)) await cluster.deleteConfigMap(name);
  } catch (error) {
    log.warn({}, `The ConfigMap of a pod that was refused could not be removed: ${messageOf(error)}`);
  }
}
