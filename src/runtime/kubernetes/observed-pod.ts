/** What is read of the objects that the API server answers with; as JSON has them, times as RFC 3339 text. */

export interface ObjectMeta {
  name: string;
  uid: string;
  resourceVersion: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: { uid: string }[];
}

export interface ObservedObject {
  metadata: ObjectMeta;
}

export interface ObservedPod extends ObservedObject {
  /** The earliest time of its deletion that was seen, milliseconds since 1970: not the cluster's, `PodWatch` keeps it. */
  deletedAtMs?: number;
  spec: { nodeName?: string; terminationGracePeriodSeconds?: number };
  status: PodStatus;
}

export interface PodStatus {
  phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  reason?: string;
  message?: string;
  conditions?: PodCondition[];
  containerStatuses?: ContainerStatus[];
}

export interface PodCondition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
}

export interface ContainerStatus {
  image?: string;
  state?: {
    waiting?: { reason?: string; message?: string };
    running?: { startedAt?: string };
    terminated?: TerminatedState;
  };
}

export interface TerminatedState {
  exitCode: number;
  reason?: string;
  message?: string;
  startedAt?: string | null;
  finishedAt?: string | null;
}

/** Something that happened to a pod, as the cluster tells people. */
export interface ObservedEvent {
  type?: string;
  reason?: string;
  message?: string;
  lastTimestamp?: string | null;
  eventTime?: string | null;
}

/**
 * When the deletion was asked for, milliseconds since 1970, to the second; undefined for a pod that is not deleted. The
 * time in the pod is when its grace will be over.
 */
export function deletedAtMs({ metadata, deletedAtMs: seenMs = Infinity }: ObservedPod): number | undefined {
  if (!metadata.deletionTimestamp) return undefined;
  const graceMs = (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return Math.min(seenMs, Date.parse(metadata.deletionTimestamp) - graceMs);
}

/**
 * `pod` with the earliest deletion that is known from `before`, an earlier sight of the same pod. A kubelet deletes once
 * more, without grace, when the containers have ended, and recent API servers write that time over the first.
 */
export function withFirstDeletion(pod: ObservedPod, before: ObservedPod | undefined): ObservedPod {
  if (before?.metadata.uid !== pod.metadata.uid) return pod;
  const seenMs = deletedAtMs(before);
  return seenMs === undefined ? pod : { ...pod, deletedAtMs: seenMs };
}

/** How the one container of a runner pod ended, if it did. */
export function terminatedState({ status }: ObservedPod): TerminatedState | undefined {
  return status.containerStatuses?.[0]?.state?.terminated;
}

/** Whether the container has begun to run, ended or not. */
export function hasBegun({ status }: ObservedPod): boolean {
  const state = status.containerStatuses?.[0]?.state;
  return state?.running !== undefined || state?.terminated !== undefined;
}

export function conditionOf({ status }: ObservedPod, type: string): PodCondition | undefined {
  return status.conditions?.find((condition) => condition.type === type);
}

/** Nothing more will happen to it, as far as its status says. */
export function isTerminal({ status }: ObservedPod): boolean {
  return status.phase === 'Succeeded' || status.phase === 'Failed';
}
