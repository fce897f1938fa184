import type { Detection } from '../runtime-definition.js';
import { createDockerClient } from './docker-client.js';
import { DockerEngine } from './docker-engine.js';
import type { DockerOptions } from './docker-options.js';
import { toImageHint } from './start-failure.js';

const PROBE_TIMEOUT_MS = 2000;

/** Whether jobs could run here: an engine answers, and the runner image is on it. Never throws. */
export async function probeDocker(
  options: Pick<DockerOptions, 'dockerHost'> & { image: string },
  signal?: AbortSignal,
): Promise<Required<Detection>> {
  const engine = new DockerEngine(createDockerClient(options.dockerHost));
  try {
    await engine.ping(PROBE_TIMEOUT_MS, signal);
    if ((await engine.imageId(options.image, signal)) !== undefined) {
      return { fits: true, reason: `A Docker engine answers and has the image ${options.image}.` };
    }
    return {
      fits: false,
      reason: `A Docker engine answers, but the image ${options.image} is not there (${toImageHint(options.image)}).`,
    };
  } catch {
    return { fits: false, reason: 'No Docker engine answers.' };
  } finally {
    engine.close();
  }
}
