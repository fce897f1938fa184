import { Backoff } from '../../../common/async/abort.js';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import type { Cluster } from '../api/cluster.js';
import type { ObservedPod } from '../observed-pod.js';
import type { PodHandle } from '../pod-handle.js';
import { deletionGrace } from '../pod/pod-verdict.js';
import { requestStop } from '../stop-request.js';

const REMOVAL_TIMEOUT_MS = 90_000;
/** A runner that is asked to stop without a grace ends within this; only one that does not is deleted while it runs. */
const REQUEST_PATIENCE_MS = 8_000;

/**
 * Removes a pod and its ConfigMap; what still runs is killed first, and its kubelet is waited for.
 * @throws RuntimeUnavailableError when it does not go
 */
export async function removePod(
  cluster: Cluster,
  { name, uid }: PodHandle,
  jobDir: string | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const backoff = new Backoff(50, 1_000);
  const beganAtMs = Date.now();
  if (jobDir) await requestStop(jobDir, 0);
  for (let pod; (pod = await findOurs(cluster, name, uid, signal));) {
    const lastedMs = Date.now() - beganAtMs;
    if (lastedMs > REMOVAL_TIMEOUT_MS)
      throw new RuntimeUnavailableError(`The pod ${name} is being deleted and does not go.`);
    // An object without its kubelet's word may only be taken away when nothing of it runs.
    const graceSeconds = deletionGrace(pod);
    const isDue = lastedMs > REQUEST_PATIENCE_MS && !pod.metadata.deletionTimestamp;
    if (graceSeconds === 0 || isDue || !jobDir) {
      await cluster.deletePod(name, pod.metadata.uid, { graceSeconds }, signal);
    }
    if (graceSeconds === 0) break;
    await backoff.wait(signal);
    signal?.throwIfAborted();
  }
  await cluster.deleteConfigMap(name, signal);
}

/** Without an id whichever pod has the name is meant, as it is for the ConfigMap. */
async function findOurs(
  cluster: Cluster,
  name: string,
  uid: string | null,
  signal?: AbortSignal,
): Promise<ObservedPod | undefined> {
  const pod = await cluster.findPod(name, signal);
  return pod && (uid === null || pod.metadata.uid === uid) ? pod : undefined;
}
