import { randomUUID } from 'node:crypto';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromDist } from '../../tools/paths.mjs';

const MIB = 1024 * 1024;

/** The folders of a workload as the server makes them, with a script in them. */
export async function makeWorkspace(root, script) {
  const { workspacePaths } = await fromDist('workspace/workspace-paths.js');
  const { runnerUser, isRoot } = await fromDist('workspace/runner-user.js');
  const paths = workspacePaths(root, randomUUID());
  const { uid, gid } = runnerUser();
  for (const folder of [paths.inputDir, paths.jobDir, paths.outputDir, paths.spoolDir]) {
    await mkdir(folder, { recursive: true });
  }
  if (isRoot()) for (const folder of [paths.outputDir, paths.spoolDir]) await chown(folder, uid, gid);
  await writeFile(join(paths.jobDir, 'script.py'), script);
  await writeFile(join(paths.inputDir, 'request.json'), 'null');
  return paths;
}

/** What the server asks of a runtime for a job that names no limits. */
export function workloadSpec(workspace) {
  return {
    name: `bench-${randomUUID()}`,
    jobId: randomUUID(),
    attempt: 1,
    image: 'py-exec:slim',
    workspace,
    limits: { memoryMb: 1024, cpus: 1, pids: 256, tmpBytes: 256 * MIB },
    network: 'NONE',
    timeoutSeconds: 600,
    graceSeconds: 10,
    secrets: [],
  };
}
