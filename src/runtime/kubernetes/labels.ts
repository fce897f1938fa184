import type { WorkloadSpec } from '../runtime-provider.js';

export const INSTALLATION_LABEL = 'maps-python/installation';
const NETWORK_LABEL = 'maps-python/network';
const JOB_LABEL = 'maps-python/job-id';
const ATTEMPT_LABEL = 'maps-python/attempt';
const WORKSPACE_LABEL = 'maps-python/workspace';
/** Kueue admits a pod with this label before the scheduler sees it. */
export const QUEUE_LABEL = 'kueue.x-k8s.io/queue-name';
/** Set on a pod that we end by its deadline: then the deadline is not what ended it. */
export const STOPPED_ANNOTATION = 'maps-python/stopped';

export type Labels = Record<string, string>;

/** Of the pod and of its ConfigMap. */
export function toLabels(spec: WorkloadSpec, installationId: string): Labels {
  return {
    'app.kubernetes.io/name': 'maps-runner',
    'app.kubernetes.io/component': 'runner',
    'app.kubernetes.io/managed-by': 'maps-backend',
    [INSTALLATION_LABEL]: installationId,
    ...(spec.jobId === null ? {} : { [JOB_LABEL]: spec.jobId }),
    ...(spec.attempt === null ? {} : { [ATTEMPT_LABEL]: String(spec.attempt) }),
    [WORKSPACE_LABEL]: spec.workspace.id,
    [NETWORK_LABEL]: spec.network === 'INTERNET' ? 'internet' : 'none',
  };
}

/** The selector that finds an installation's pods and ConfigMaps. */
export function installationSelector(installationId: string): string {
  return `${INSTALLATION_LABEL}=${installationId}`;
}

export interface LabelledWorkload {
  jobId: string | null;
  attempt: number | null;
  /** Null when it is no name that a workspace of ours can have. */
  workspace: string | null;
}

export function readLabels(labels: Labels = {}): LabelledWorkload {
  const attempt = Number(labels[ATTEMPT_LABEL]);
  const workspace = labels[WORKSPACE_LABEL] ?? '';
  return {
    jobId: labels[JOB_LABEL] || null,
    attempt: Number.isSafeInteger(attempt) && attempt > 0 ? attempt : null,
    workspace: /^[A-Za-z0-9][A-Za-z0-9-]*$/.test(workspace) ? workspace : null,
  };
}
