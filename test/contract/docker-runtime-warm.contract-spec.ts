import { randomUUID } from 'node:crypto';
import Docker from 'dockerode';
import { createDockerRuntime } from '../../src/runtime/docker/docker.runtime.js';
import { describeRuntimeContract } from './runtime-provider.contract.js';
import { DockerBackdoor, whyNoDocker } from '../support/runtime-docker.js';

const IMAGE = 'py-exec:slim';
const installationId = `test-${randomUUID()}`;
const backdoor = new DockerBackdoor(new Docker(), installationId);

describeRuntimeContract('docker, warm', {
  isWarm: true,
  create: (dataDir) =>
    createDockerRuntime({
      dataDir,
      installationId,
      logger: { info: () => undefined, warn: () => undefined },
    }),
  hooks: backdoor,
  image: IMAGE,
  runsPython: true,
  expectedGaps: [],
  requiredTier: 'docker',
  unavailable: await whyNoDocker(IMAGE),
});
