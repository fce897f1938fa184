import { randomUUID } from 'node:crypto';
import Docker from 'dockerode';
import { createDockerRuntime } from '../../src/runtime/docker/docker.runtime.js';
import { DockerBackdoor, whyNoDocker } from '../support/runtime-docker.js';
import { describeWarmPool } from './warm-pool.contract.js';

const IMAGE = 'py-exec:slim';
const installationId = `test-${randomUUID()}`;
const backdoor = new DockerBackdoor(new Docker(), installationId);
const unavailable = await whyNoDocker(IMAGE);

describeWarmPool('docker', {
  create: (dataDir) =>
    createDockerRuntime({
      dataDir,
      installationId,
      logger: { info: () => undefined, warn: () => undefined },
    }),
  leftovers: () => backdoor.leftovers(),
  image: IMAGE,
  requiredTier: 'docker',
  ...(unavailable === undefined ? {} : { unavailable }),
});
