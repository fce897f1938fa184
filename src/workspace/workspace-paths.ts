import { join } from 'node:path';
import { LOG_FILE } from '../runner/files.js';

/**
 * Where one workload's folders are on this machine. The three roots are separate because each is a volume of its own
 * on Kubernetes; the id of a workspace is stored with the attempt and never derived from the job's id.
 */
export interface WorkspacePaths {
  readonly id: string;
  /** `inputs/<id>/files`, mounted as `/input`. */
  readonly inputDir: string;
  /** `inputs/<id>/job`, mounted as `/job`. */
  readonly jobDir: string;
  /** `outputs/<id>`, mounted as `/output`. */
  readonly outputDir: string;
  /** `logs/<id>`, mounted as `/spool`. */
  readonly spoolDir: string;
}

export const WORKSPACE_ROOTS = ['inputs', 'outputs', 'logs'] as const;
export type WorkspaceRoot = (typeof WORKSPACE_ROOTS)[number];

export function workspacePaths(workspaceDir: string, id: string): WorkspacePaths {
  const inputs = join(workspaceDir, 'inputs', id);
  return {
    id,
    inputDir: join(inputs, 'files'),
    jobDir: join(inputs, 'job'),
    outputDir: join(workspaceDir, 'outputs', id),
    spoolDir: join(workspaceDir, 'logs', id),
  };
}

export function spoolPath(paths: WorkspacePaths): string {
  return join(paths.spoolDir, LOG_FILE);
}
