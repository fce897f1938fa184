import type { StartFailure } from '../../runtime-provider.js';
import type { ApiStatusError } from '../api/api.errors.js';

// The words that decide are not part of any API. Each pattern names the component that says them, and the version its
// samples are from: "1.20 and 1.37" are versions of Kubernetes, with containerd, on which the contract tests see the words;
// "version unknown": only the spec beside this file has them; "no sample": nothing has them.

/**
 * What registries and nodes answer when trying again will not help; everything else may be passing. Only the choice
 * between waiting and giving up hangs on these words, which the kubelet passes on from its registry and container engine.
 * containerd, 1.20 and 1.37: a registry's 404 ("not found") and 403. Version unknown: its 401, and "manifest unknown" and
 * "does not exist" of Docker and of registries.
 */
const NO_SUCH_IMAGE = /not found|manifest unknown|does not exist|denied|unauthorized|forbidden/i;
/**
 * runc by containerd, 1.20 and 1.37: "no such file", "permission denied", "not a directory". Version unknown: "exec format
 * error", and "executable file not found".
 */
const CANNOT_RUN =
  /exec format error|not a directory|(exec: |executable|chdir ).*(not found|no such file|permission denied)/i;
/** Kubelet, 1.20 and 1.37: "couldn't find key", "not found" of a Secret. "non-existent" is in no sample. */
const NO_SUCH_KEY = /not found|couldn't find key|non-existent/i;
const ADMISSION_HINT = 'An admission rule of the cluster or a K8S_ setting is why; the message names it.';

/** Why the API server did not make the pod. Undefined: it said "not now", and nothing about the pod. */
export function toCreateFailure(
  { status, message }: ApiStatusError,
  image: string,
): StartFailure | undefined {
  switch (status) {
    case 403:
      return toForbidden(message, image);
    case 404:
      return refused(
        `The cluster has no place for the pod: ${message}`,
        'kubectl apply -f k8s/namespace.yaml',
      );
    case 400:
    case 413:
    case 422:
      return refused(`The cluster does not take the pod: ${message}`, ADMISSION_HINT);
    default:
      return undefined;
  }
}

/** API server, ResourceQuota: "exceeded quota" 1.20 and 1.37; "status unknown" version unknown; "insufficient" in no sample. */
const QUOTA_USED_UP = /exceeded quota|status unknown for quota|insufficient quota/i;
/** API server, ServiceAccount admission, version unknown. */
const NAMESPACE_NOT_READY = /error looking up service account/i;
/** API server, RBAC, version unknown. */
const NOT_PERMITTED = /cannot create resource/i;
/** API server, LimitRanger: "per Container" 1.20 and 1.37; "must specify" (ResourceQuota) version unknown; the rest no sample. */
const OUTSIDE_LIMITS = /per container|per pod|limit to request ratio|must specify/i;

/** One status for four causes, told apart only by the words of the API server's own admission. */
function toForbidden(message: string, image: string): StartFailure {
  if (QUOTA_USED_UP.test(message)) {
    return noRoom(`The quota of the namespace is used up: ${message}`, 'Raise the ResourceQuota, or wait.');
  }
  if (NAMESPACE_NOT_READY.test(message)) {
    return { kind: 'failed', message: `The namespace is not ready: ${message}`, retryable: true };
  }
  if (NOT_PERMITTED.test(message)) {
    return refused(`The service may not create pods: ${message}`, 'kubectl apply -f k8s/rbac.yaml');
  }
  if (OUTSIDE_LIMITS.test(message)) {
    const hint = 'Ask for limits that the LimitRange and the quota of the namespace allow.';
    return refused(`The limits of the namespace forbid the pod: ${message}`, hint);
  }
  return refused(`The cluster's admission refused the pod with image ${image}: ${message}`, ADMISSION_HINT);
}

export interface WaitingState {
  reason?: string;
  message?: string;
}

/** A start that does not go on, and how long it may stay so before it is given up, in milliseconds. */
export interface Hindrance {
  failure: StartFailure;
  patienceMs: number;
}

/** A container that waits for something that is not there; undefined for what is a part of every start. */
export function toHindrance(
  { reason = '', message = '' }: WaitingState,
  image: string,
): Hindrance | undefined {
  switch (reason) {
    case 'InvalidImageName':
    case 'ErrImageNeverPull':
    case 'SignatureValidationFailed':
      return { failure: imageUnavailable(image, reason, message || reason, false), patienceMs: 0 };
    case 'ErrImagePull':
    case 'ImagePullBackOff':
    case 'RegistryUnavailable':
    case 'ImageInspectError':
      return imageNotPulled(image, reason, message);
    case 'CreateContainerConfigError':
      return { failure: notConfigured(message || reason), patienceMs: 10_000 };
    case 'CreateContainerError':
    case 'RunContainerError':
    case 'PreCreateHookError':
    case 'PreStartHookError':
    case 'PostStartHookError':
      return { failure: containerFailed(reason, message), patienceMs: 15_000 };
    default:
      return undefined;
  }
}

/** A kubelet says ImagePullBackOff between two tries and drops the words of the last one. */
function imageNotPulled(image: string, reason: string, message: string): Hindrance {
  const isFinal = NO_SUCH_IMAGE.test(message);
  const failure = imageUnavailable(image, reason, message || reason, !isFinal);
  return { failure, patienceMs: isFinal ? 0 : 30_000 };
}

/** The container was made, and what it was to run could not be run. Nothing of the script ran. */
export function containerFailed(reason: string, message: string): StartFailure {
  const isFinal = CANNOT_RUN.test(message);
  return {
    kind: isFinal ? 'refused' : 'failed',
    message: `The container could not be started (${reason}): ${message || reason}`,
    ...(isFinal ? { hint: 'The image must be made from runner-image/Dockerfile.' } : {}),
    retryable: !isFinal,
  };
}

/** Nowhere to run now. */
export function noRoom(message: string, hint?: string): StartFailure {
  return { kind: 'unschedulable', message, ...(hint ? { hint } : {}), retryable: true };
}

/** The start did not come to its end in the time it has; `said` is the last that the cluster told about it. */
export function startTooLate(seconds: number, said: string | undefined): StartFailure {
  return {
    kind: 'failed',
    message: `The pod did not start within ${seconds} s${said ? `: ${said}` : ''}.`,
    hint: 'kubectl describe pod tells more; K8S_START_TIMEOUT_SECONDS gives it more time.',
    retryable: true,
  };
}

function imageUnavailable(image: string, reason: string, said: string, retryable: boolean): StartFailure {
  return {
    kind: 'imageUnavailable',
    message: `The nodes cannot get the runner image ${image} (${reason}): ${said}`,
    hint: imageHint(reason, image),
    retryable,
  };
}

function imageHint(reason: string, image: string): string {
  if (reason === 'InvalidImageName') return `${image} is no image reference; correct RUNNER_IMAGE.`;
  if (reason === 'ErrImageNeverPull') {
    return `Load ${image} onto every node, or let them fetch it: K8S_IMAGE_PULL_POLICY=IfNotPresent.`;
  }
  return `See that ${image} is in a registry the nodes reach, and name its credentials in K8S_IMAGE_PULL_SECRETS.`;
}

function notConfigured(message: string): StartFailure {
  const said = `The container cannot be configured: ${message}`;
  if (!NO_SUCH_KEY.test(message)) {
    return { kind: 'failed', message: said, hint: 'kubectl describe pod tells more.', retryable: true };
  }
  const hint = 'A secret that the job asks for, or its key, is missing: kubectl apply -f k8s/secret.yaml';
  return refused(said, hint);
}

function refused(message: string, hint?: string): StartFailure {
  return { kind: 'refused', message, ...(hint ? { hint } : {}), retryable: false };
}
