import type { StartFailure, WorkloadExit } from '../../runtime-provider.js';
import { STOPPED_ANNOTATION } from '../labels.js';
import type { ObservedPod, TerminatedState } from '../observed-pod.js';
import { conditionOf, deletedAtMs, hasBegun, isTerminal, terminatedState } from '../observed-pod.js';
import type { Hindrance } from './start-failure.js';
import { containerFailed, noRoom, toHindrance } from './start-failure.js';

/** What a pod's state means for whoever waits for its end. */
export type Verdict =
  | { kind: 'ended'; exit: WorkloadExit }
  /** It is over, but the cluster has not said how: what it says after `patienceMs` is taken. */
  | { kind: 'ending'; exit: WorkloadExit; patienceMs: number }
  /** It does not start; given up when it stays so for the hindrance's patience. */
  | { kind: 'hindered'; hindrance: Hindrance }
  /** It waits for room, which the cluster may find for as long as a start may take. */
  | { kind: 'waiting'; failure: StartFailure }
  | { kind: 'underWay' };

/** Codes of a container that ended because it was asked or forced to. */
const ENDED_FROM_OUTSIDE = [143, 137];
/** The kubelet's words for a container that was never run as it should. */
const NOT_RUN = ['StartError', 'ContainerCannotRun', 'RunContainerError'];
/** The platform took the pod away for its own reasons. */
const EVICTIONS = ['Evicted', 'Preempting', 'Shutdown', 'NodeShutdown', 'Terminated'];
const NODE_LOSSES = ['DeletionByTaintManager', 'DeletionByPodGC'];

/** Who asks for the node's name finds it in the log. */
const NODE_LOST: WorkloadExit = {
  kind: 'nodeLost',
  message: 'The node of the pod does not answer any more.',
};

/** How long the kubelet may take to write down an end that it has announced, besides the grace it gives. */
const WRITING_MS = 10_000;
/** How long a deleted pod may stay beyond its grace before its node counts as lost. */
const NODE_PATIENCE_MS = 60_000;

/** Reads a pod. Pure. */
export function readPod(pod: ObservedPod): Verdict {
  const terminated = terminatedState(pod);
  if (terminated) return ended(pod, toExit(pod, terminated));
  if (isTerminal(pod)) return overWithoutEnd(pod);
  if (pod.metadata.deletionTimestamp) return leaving(pod);
  return hasBegun(pod) ? { kind: 'underWay' } : starting(pod);
}

/** A pod that somebody deletes is removed when it is gone, and not while its kubelet clears up. */
function ended(pod: ObservedPod, exit: WorkloadExit): Verdict {
  if (exit.kind !== 'removed' || !pod.metadata.deletionTimestamp) return { kind: 'ended', exit };
  return { kind: 'ending', exit, patienceMs: NODE_PATIENCE_MS };
}

/** What a pod that is not there any more had come to, from the last that was seen of it. */
export function readVanished(last: ObservedPod): WorkloadExit {
  const terminated = terminatedState(last);
  if (terminated) return toExit(last, terminated);
  return byPlatform(last) ?? { kind: 'removed' };
}

/**
 * The grace of a deletion, seconds. Without any the object goes at once, whatever its kubelet does: right where nothing
 * of the pod can run, since old kubelets take a minute to let a container go that never was.
 */
export function deletionGrace(pod: ObservedPod): 0 | 1 {
  const cannotRun = !hasBegun(pod) && starting(pod).kind !== 'underWay';
  return terminatedState(pod) || cannotRun ? 0 : 1;
}

function toExit(pod: ObservedPod, terminated: TerminatedState): WorkloadExit {
  const { exitCode, reason = '', message = '' } = terminated;
  if (NOT_RUN.includes(reason)) return { kind: 'startFailed', failure: containerFailed(reason, message) };
  if (reason === 'ContainerStatusUnknown') {
    return byPlatform(pod) ?? { kind: 'lost', message: 'The cluster does not know how the container ended.' };
  }
  const exit: WorkloadExit = { kind: 'exited', exitCode, oomKilled: reason === 'OOMKilled' };
  return ENDED_FROM_OUTSIDE.includes(exitCode) ? (endedByOthers(pod, terminated) ?? exit) : exit;
}

/** Somebody else's doing; ours carries an annotation, or leaves the pod where it is. */
function endedByOthers(pod: ObservedPod, terminated: TerminatedState): WorkloadExit | undefined {
  if (isStopped(pod)) return undefined;
  const platform = byPlatform(pod);
  if (platform) return platform;
  return wasDeletedBefore(pod, terminated) ? { kind: 'removed' } : undefined;
}

/** What the pod itself says of an end that was the platform's doing. */
function byPlatform(pod: ObservedPod): WorkloadExit | undefined {
  return isStopped(pod) ? undefined : (ofStatus(pod) ?? disruption(pod));
}

function isStopped({ metadata }: ObservedPod): boolean {
  return metadata.annotations?.[STOPPED_ANNOTATION] !== undefined;
}

function wasDeletedBefore(pod: ObservedPod, { finishedAt }: TerminatedState): boolean {
  const askedMs = deletedAtMs(pod);
  return askedMs !== undefined && finishedAt ? Date.parse(finishedAt) >= askedMs : false;
}

/** The pod has failed as a whole, and its container's end is not written down, or there was no container. */
function overWithoutEnd(pod: ObservedPod): Verdict {
  const known = byPlatform(pod);
  if (known?.kind === 'startFailed') return { kind: 'ended', exit: known };
  const graceMs = (pod.spec.terminationGracePeriodSeconds ?? 0) * 1000;
  const exit = known ?? withoutWord(pod);
  return { kind: 'ending', exit, patienceMs: graceMs + WRITING_MS };
}

/** A kubelet before 1.22 ends a pod by its deadline and goes on calling its container running. */
function withoutWord(pod: ObservedPod): WorkloadExit {
  if (isStopped(pod) && hasBegun(pod)) return { kind: 'exited', exitCode: 137, oomKilled: false };
  return { kind: 'lost', message: 'The pod ended and the cluster did not say how.' };
}

/** What the pod's own status says of a failure of the platform's. */
function ofStatus({ status }: ObservedPod): WorkloadExit | undefined {
  const { reason = '', message = '' } = status;
  if (status.phase !== 'Failed' || reason === '') return undefined;
  if (reason === 'DeadlineExceeded') return { kind: 'deadlineExceeded' };
  if (reason === 'NodeLost') return NODE_LOST;
  const said = message || reason;
  if (EVICTIONS.includes(reason)) {
    return { kind: 'evicted', message: `The cluster took the pod away (${reason}): ${said}` };
  }
  if (status.containerStatuses?.[0]?.state?.terminated) return undefined;
  // The kubelet refused a pod that the scheduler had sent it.
  return { kind: 'startFailed', failure: noRoom(`The node did not take the pod (${reason}): ${said}`) };
}

/** Kubernetes 1.26 and later say on the pod itself why it is being taken away. */
function disruption(pod: ObservedPod): WorkloadExit | undefined {
  const target = conditionOf(pod, 'DisruptionTarget');
  if (target?.status !== 'True') return undefined;
  const reason = target.reason ?? 'DisruptionTarget';
  if (NODE_LOSSES.includes(reason)) return NODE_LOST;
  const said = target.message ?? '';
  return { kind: 'evicted', message: `The cluster took the pod away (${reason}): ${said}` };
}

function leaving(pod: ObservedPod): Verdict {
  const graceMs = (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return { kind: 'ending', exit: NODE_LOST, patienceMs: graceMs + NODE_PATIENCE_MS };
}

function starting(pod: ObservedPod): Verdict {
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (scheduled?.status === 'False') return { kind: 'waiting', failure: toUnscheduled(scheduled) };
  const container = pod.status.containerStatuses?.[0];
  const waiting = container?.state?.waiting;
  const hindrance = waiting && toHindrance(waiting, container.image ?? '');
  return hindrance ? { kind: 'hindered', hindrance } : { kind: 'underWay' };
}

/** kube-scheduler, Kubernetes 1.20 and 1.37 (contract tests): of a volume claim that is not there, or not bound. */
const CLAIM_NOT_READY = /persistentvolumeclaim/i;

function toUnscheduled({ reason = '', message = '' }: { reason?: string; message?: string }): StartFailure {
  const said = message || reason;
  if (reason === 'SchedulingGated') return noRoom(`The pod waits in its queue: ${said}`);
  if (CLAIM_NOT_READY.test(said)) {
    const hint = 'kubectl get pvc shows why a claim is not bound; k8s/persistent-volumes.yaml makes them.';
    return noRoom(`A claim is not ready: ${said}`, hint);
  }
  return noRoom(`No node has room for the pod: ${said}`, 'Ask for less, or add nodes.');
}
