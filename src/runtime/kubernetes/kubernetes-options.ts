import type { Log } from '../../common/log.js';
/** What the kubernetes runtime is made from; made from the configuration by `toKubernetesOptions`. */
export interface KubernetesOptions {
  /** Kubeconfig file; unset: the pod's service account, else where kubectl looks. */
  kubeconfig?: string;
  namespace: string;
  /** Folder that holds `inputs/`, `outputs/` and `logs/`, each the same storage as its volume claim. */
  workspaceDir: string;
  volumeClaims: VolumeClaimNames;
  /** Marks this installation's objects; others' are never touched. */
  installationId: string;
  /** The cluster's Secret with the values of job secrets, one key for each. */
  secretName: string;
  /** Seconds that a pod may take until its container starts. */
  startTimeoutSeconds: number;
  pod: PodOptions;
  networkPolicy: NetworkPolicyMode;
  /** This server's own node, where it is a pod. */
  nodeName?: string;
  /** Image with which storage and network are tried. */
  probeImage: string;
  log: Log;
  /** How often the network is tried again; see `NetworkSight`. */
  networkPace?: Partial<NetworkPace>;
  /** How often all waits together look at the pods themselves, should the watch have gone silent. */
  reconcileMs?: number;
}

export interface NetworkPace {
  /** While it was not seen to hold jobs back. */
  lookAgainMs: number;
  /** Never more often than this, whatever is suspected. */
  leastMs: number;
  /** After a try that said nothing; doubles. */
  firstRetryMs: number;
}

/**
 * What the operator expects of the cluster's network. `auto`: nothing, a pod tries. `required`: it enforces our policy, and
 * a job with network NONE does not start unless its runner has seen that. `off`: nothing, and nobody tries.
 */
export type NetworkPolicyMode = 'auto' | 'required' | 'off';

export interface VolumeClaimNames {
  inputs: string;
  outputs: string;
  logs: string;
  datasets?: string;
}

/** What an operator decides for all runner pods. */
export interface PodOptions {
  imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  imagePullSecrets: readonly string[];
  /** Share of its CPU limit that a pod requests, 1 to 100. */
  cpuRequestPercent: number;
  /** Disk of the node besides the volume claims, MiB. */
  ephemeralStorageMb: number;
  runtimeClass?: string;
  hostUsers?: boolean;
  nodeSelector: Readonly<Record<string, string>>;
  /** In Kubernetes' own form. */
  tolerations: readonly object[];
  priorityClass?: string;
  /** Kueue's local queue. */
  queueName?: string;
}
