import { AppError } from '../../common/app-error.js';
import type { WorkspaceMaker } from '../../workspace/workspace-maker.js';
import type { RuntimeProvider } from '../runtime-provider.js';
import { RuntimeUnavailableError } from '../runtime.errors.js';
import type { KubernetesOptions } from './kubernetes-options.js';
import type { KubernetesRuntimeProvider } from './kubernetes.runtime.js';
import { PROBE_MARGIN_SECONDS } from './probes/probe-pod.js';
import { storageFault } from './probes/storage-probe.js';

/**
 * Tries with pods what jobs need of the cluster: that the server's folders are its volume claims, and whether its network
 * enforces policies. Closes the runtime when it throws.
 */
export async function tryCluster(
  runtime: KubernetesRuntimeProvider,
  options: KubernetesOptions,
  workspaces: WorkspaceMaker,
  probeSeconds: number = runtime.startTimeoutSeconds + PROBE_MARGIN_SECONDS,
): Promise<RuntimeProvider> {
  try {
    if (!runtime.isInside) await tryStorage(runtime, options, workspaces, probeSeconds);
  } catch (error) {
    await runtime.close();
    throw error;
  }
  // Beside the start: a pod takes a second or more, and jobs need not wait for it.
  runtime.watchNetwork(workspaces);
  return runtime;
}

async function tryStorage(
  runtime: RuntimeProvider,
  { volumeClaims, probeImage, log }: KubernetesOptions,
  workspaces: WorkspaceMaker,
  probeSeconds: number,
): Promise<void> {
  const deadline = AbortSignal.timeout(probeSeconds * 1000);
  const fault = await storageFault(runtime, workspaces, volumeClaims, probeImage, log, deadline).catch(
    (error: unknown) => {
      if (!deadline.aborted) throw error;
      throw new RuntimeUnavailableError(`A probe pod did not end within ${probeSeconds} s.`, error);
    },
  );
  if (fault !== undefined)
    throw new AppError('RUNTIME_UNAVAILABLE', `The server runs outside the cluster. ${fault}`);
}
