import type { WorkloadSpec } from '../../runtime-provider.js';

/** What a workload was made as: `spec.json` in its state folder. */
export interface WorkloadRecord {
  readonly version: 1;
  readonly scope: string;
  readonly installationId: string;
  readonly isolation: 'bubblewrap' | 'none';
  readonly jobId: string | null;
  readonly attempt: number | null;
  readonly createdAtMs: number;
  /** Where its script works: how a process of a workload without a sandbox is told. */
  readonly outputDir: string;
}

export function toRecord(
  spec: WorkloadSpec,
  common: Pick<WorkloadRecord, 'scope' | 'installationId' | 'isolation'>,
): WorkloadRecord {
  const { jobId, attempt, workspace } = spec;
  return { version: 1, ...common, jobId, attempt, outputDir: workspace.outputDir, createdAtMs: Date.now() };
}

export function parseRecord(text: string): WorkloadRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<WorkloadRecord> | null;
    const isWhole =
      record?.version === 1 && typeof record.scope === 'string' && record.isolation !== undefined;
    return isWhole ? (record as WorkloadRecord) : undefined;
  } catch {
    return undefined;
  }
}
