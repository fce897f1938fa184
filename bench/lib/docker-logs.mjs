import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { atEnd } from '../../tools/cleanup.mjs';
import {
  BENCH_LABEL,
  createContainer,
  removeContainer,
  removeContainers,
  startContainer,
} from '../../tools/engine.mjs';
import { temporaryFolder } from '../../tools/folders.mjs';
import { fromDist } from '../../tools/paths.mjs';
import { lineChecker } from './log-lines.mjs';
import { makeWorkspace, workloadSpec } from './workspace.mjs';

/** Reads a container that prints the script's lines with `docker logs -f` (json-file, as the engine sets it up). */
export async function dockerLogs(script) {
  const { toContainerConfig } = await fromDist('runtime/docker/to-container-config.js');
  const { runnerUser } = await fromDist('workspace/runner-user.js');
  const root = await temporaryFolder();
  atEnd(() => removeContainers(`${BENCH_LABEL}=1`));
  const workspace = await makeWorkspace(root, script);
  const placement = { dataDir: root, installationId: 'bench-baseline' };
  const { config } = toContainerConfig(workloadSpec(workspace), placement, runnerUser());
  const bare = {
    ...config,
    Entrypoint: [],
    Cmd: ['python3', '-u', '/job/script.py'],
    HostConfig: { ...config.HostConfig, LogConfig: { Type: 'json-file', Config: {} } },
  };
  /** Milliseconds from the request to create the container until its last line is read. */
  return async () => {
    const checker = lineChecker();
    const startedAt = performance.now();
    const id = await createContainer(bare);
    await startContainer(id);
    const reader = spawn('docker', ['logs', '-f', id], { stdio: ['ignore', 'pipe', 'inherit'] });
    reader.stdout.on('data', (bytes) => checker.take(bytes));
    await once(reader, 'close');
    const took = performance.now() - startedAt;
    await removeContainer(id);
    checker.assertComplete();
    return took;
  };
}
