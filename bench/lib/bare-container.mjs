import { atEnd } from '../../tools/cleanup.mjs';
import {
  BENCH_LABEL,
  attach,
  createContainer,
  removeContainer,
  removeContainers,
} from '../../tools/engine.mjs';
import { startContainer, waitForContainer } from '../../tools/engine.mjs';
import { temporaryFolder } from '../../tools/folders.mjs';
import { fromDist } from '../../tools/paths.mjs';
import { makeWorkspace, workloadSpec } from './workspace.mjs';

/** Containers as the server makes them, with the same image, limits and mounts, but `python3 -u script.py` in them. */
export async function bareContainers(script) {
  const { toContainerConfig } = await fromDist('runtime/docker/to-container-config.js');
  const { runnerUser } = await fromDist('workspace/runner-user.js');
  const root = await temporaryFolder();
  atEnd(() => removeContainers(`${BENCH_LABEL}=1`));
  // Made beforehand and shared by all: the baseline is the engine's work alone.
  const workspace = await makeWorkspace(root, script);
  const placement = { dataDir: root, installationId: 'bench-baseline' };
  const { config } = toContainerConfig(workloadSpec(workspace), placement, runnerUser());
  const bare = { ...config, Entrypoint: [], Cmd: ['python3', '-u', '/job/script.py'], WorkingDir: '/output' };
  return {
    /** Milliseconds from the request to create it until its first line is here, and until its end. */
    run: async () => {
      const startedAt = performance.now();
      const id = await createContainer({ ...bare, AttachStdout: true, AttachStderr: true });
      const stream = await attach(id);
      const seen = new Promise((resolve, reject) => {
        stream.once('data', () => resolve(performance.now() - startedAt));
        stream.once('close', () => reject(new Error('the container printed nothing')));
        stream.on('error', reject);
      });
      await startContainer(id);
      const firstMs = await seen;
      await waitForContainer(id);
      const endMs = performance.now() - startedAt;
      stream.destroy();
      await removeContainer(id);
      return { firstMs, endMs };
    },
    /** One whole life: create, start, wait, remove. */
    runOnce: async () => {
      const id = await createContainer(bare);
      await startContainer(id);
      const code = await waitForContainer(id);
      await removeContainer(id);
      if (code !== 0) throw new Error(`the bare container ended with ${code}`);
    },
  };
}
