import type { WorkloadSpec } from '../runtime-provider.js';

const PREFIX = 'io.maps-python.';

export const INSTALLATION_LABEL = `${PREFIX}installation`;
const MANAGED_BY_LABEL = `${PREFIX}managed-by`;
const JOB_LABEL = `${PREFIX}job-id`;
const ATTEMPT_LABEL = `${PREFIX}attempt`;

export type Labels = Record<string, string>;

export function toLabels(spec: Pick<WorkloadSpec, 'jobId' | 'attempt'>, installationId: string): Labels {
  return {
    [MANAGED_BY_LABEL]: 'maps-backend',
    [INSTALLATION_LABEL]: installationId,
    ...(spec.jobId === null ? {} : { [JOB_LABEL]: spec.jobId }),
    ...(spec.attempt === null ? {} : { [ATTEMPT_LABEL]: String(spec.attempt) }),
  };
}

/** The filter that finds an installation's containers. */
export function installationFilter(installationId: string): string {
  return `${INSTALLATION_LABEL}=${installationId}`;
}

export function readLabels(labels: Labels): { jobId: string | null; attempt: number | null } {
  const attempt = Number(labels[ATTEMPT_LABEL]);
  return {
    jobId: labels[JOB_LABEL] || null,
    attempt: Number.isSafeInteger(attempt) && attempt > 0 ? attempt : null,
  };
}
