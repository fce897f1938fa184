/** The name of an attempt's workload, also its idempotency key: one name is started at most once. */
export function workloadName(jobId: string, attempt: number): string {
  return attempt === 1 ? `runner-${jobId}` : `runner-${jobId}-${attempt}`;
}
