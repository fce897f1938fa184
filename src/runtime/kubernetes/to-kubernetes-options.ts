import { mapEntries } from '../../config/map-entries.js';
import type { RuntimeHost } from '../runtime-definition.js';
import type { KubernetesConfig } from './kubernetes-config.js';
import type { KubernetesOptions, NetworkPolicyMode } from './kubernetes-options.js';

/** The runtime's options as the configuration has them; a variable that is not set is left out. */
export function toKubernetesOptions(
  config: KubernetesConfig,
  host: Pick<RuntimeHost, 'storage' | 'installationId' | 'defaultImage' | 'log'>,
): KubernetesOptions {
  return {
    ...(config.KUBECONFIG ? { kubeconfig: config.KUBECONFIG } : {}),
    namespace: config.K8S_NAMESPACE,
    workspaceDir: host.storage.workspaceDir,
    volumeClaims: {
      inputs: config.K8S_INPUTS_CLAIM,
      outputs: config.K8S_OUTPUTS_CLAIM,
      logs: config.K8S_LOGS_CLAIM,
      ...(config.K8S_DATASETS_CLAIM ? { datasets: config.K8S_DATASETS_CLAIM } : {}),
    },
    installationId: host.installationId,
    secretName: config.K8S_SECRET_NAME,
    startTimeoutSeconds: config.K8S_START_TIMEOUT_SECONDS,
    pod: {
      imagePullPolicy: config.K8S_IMAGE_PULL_POLICY,
      imagePullSecrets: config.K8S_IMAGE_PULL_SECRETS,
      cpuRequestPercent: config.K8S_CPU_REQUEST_PERCENT,
      ephemeralStorageMb: config.K8S_EPHEMERAL_STORAGE_MB,
      nodeSelector: Object.fromEntries(mapEntries(config.K8S_NODE_SELECTOR)),
      tolerations: config.K8S_TOLERATIONS,
      ...(config.K8S_RUNTIME_CLASS ? { runtimeClass: config.K8S_RUNTIME_CLASS } : {}),
      ...(config.K8S_HOST_USERS === undefined ? {} : { hostUsers: config.K8S_HOST_USERS }),
      ...(config.K8S_PRIORITY_CLASS ? { priorityClass: config.K8S_PRIORITY_CLASS } : {}),
      ...(config.K8S_QUEUE_NAME ? { queueName: config.K8S_QUEUE_NAME } : {}),
    },
    networkPolicy: toMode(config.K8S_NETWORK_POLICY),
    ...(config.NODE_NAME ? { nodeName: config.NODE_NAME } : {}),
    probeImage: host.defaultImage,
    log: host.log,
  };
}

function toMode(policy: boolean | 'auto'): NetworkPolicyMode {
  if (policy === 'auto') return 'auto';
  return policy ? 'required' : 'off';
}
