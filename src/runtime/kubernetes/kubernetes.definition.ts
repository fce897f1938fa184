import type { RuntimeDefinition } from '../runtime-definition.js';
import { KubernetesConfig } from './kubernetes-config.js';

export const KUBERNETES: RuntimeDefinition<KubernetesConfig> = {
  name: 'kubernetes',
  variables: KubernetesConfig,
  awaitsEngine: true,

  async detect({ KUBERNETES_SERVICE_HOST }) {
    return KUBERNETES_SERVICE_HOST
      ? { fits: true, reason: 'The server runs in a Kubernetes cluster.' }
      : { fits: false };
  },

  async create(variables, host) {
    const { createKubernetesRuntime } = await import('./kubernetes.runtime.js');
    const { toKubernetesOptions } = await import('./to-kubernetes-options.js');
    const { tryCluster } = await import('./try-cluster.js');
    const options = toKubernetesOptions(variables, host);
    return tryCluster(await createKubernetesRuntime(options), options, host.workspaces);
  },
};
