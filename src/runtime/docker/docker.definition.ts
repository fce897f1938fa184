import type { RuntimeDefinition } from '../runtime-definition.js';
import { DockerConfig } from './docker-config.js';

export const DOCKER: RuntimeDefinition<DockerConfig> = {
  name: 'docker',
  variables: DockerConfig,
  awaitsEngine: true,

  async detect({ DOCKER_HOST }, { defaultImage }) {
    const { probeDocker } = await import('./probe-docker.js');
    return probeDocker({ dockerHost: DOCKER_HOST, image: defaultImage });
  },

  async create(variables, { storage, installationId, secrets, log }) {
    const { createDockerRuntime } = await import('./docker.runtime.js');
    return createDockerRuntime({
      dockerHost: variables.DOCKER_HOST,
      dataDir: storage.dataDir,
      hostDataDir: variables.DOCKER_HOST_DATA_DIR,
      ociRuntime: variables.DOCKER_RUNTIME,
      installationId,
      secrets,
      log,
    });
  },
};
