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
