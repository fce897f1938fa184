import { randomUUID } from 'node:crypto';
import Docker from 'dockerode';
import { createDockerRuntime } from '../../../src/runtime/docker/docker.runtime.js';
import { createProcessRuntime } from '../../../src/runtime/process/process.runtime.js';
import type { RuntimeProvider } from '../../../src/runtime/runtime-provider.js';
import type { RuntimeHooks } from './runtime-bench.js';
import { DockerBackdoor, whyNoDocker } from './docker/runtime-docker.js';
import { KUBE_IMAGE, TestCluster, whyNoKubernetes } from './kubernetes/runtime-kubernetes.js';
import type { Isolation } from './process/runtime-process.js';
import { ProcessBackdoor, testPython, lookForProcess } from './process/runtime-process.js';
import { SECRET_VALUES } from './runtime-secrets.js';
import { SILENT_LOG } from '../recorded-log.js';

const IMAGE = 'py-exec:slim';

/** A real runtime for a suite: an installation of its own, and what the suite needs to look behind its back. */
export interface RuntimeSetup {
  /** Makes a provider; all of one setup are of one installation, as servers that follow each other have it. */
  create(dataDir: string): Promise<RuntimeProvider>;
  /** `leftovers` ends what the setup has opened: it is called once, at the end. */
  hooks: RuntimeHooks;
  image: string;
  /** Name in TEST_REQUIRE. */
  requiredTier: string;
  /** What it is made of, where the tier's name does not tell. */
  used?: string;
  /** Why it cannot run on this machine, if it cannot. */
  unavailable?: string;
}

export async function processSetup(isolation: Isolation = 'bubblewrap'): Promise<RuntimeSetup> {
  const installationId = `test-${randomUUID()}`;
  const backdoor = new ProcessBackdoor(installationId, isolation);
  const python = testPython(isolation);
  const { unavailable, used } = await lookForProcess(isolation);
  return {
    create: (dataDir) => {
      backdoor.dataDir = dataDir;
      return createProcessRuntime({
        dataDir,
        isolation,
        installationId,
        python,
        secrets: SECRET_VALUES,
        log: SILENT_LOG,
      });
    },
    hooks: {
      makeWithoutStart: (spec) => backdoor.makeWithoutStart(spec),
      removeBehind: (handle, spec) => backdoor.removeBehind(handle, spec),
      describe: (handle, spec) => backdoor.describe(handle, spec),
      leftovers: () => backdoor.leftovers(),
    },
    image: 'none',
    requiredTier: 'process',
    used,
    ...reason(unavailable),
  };
}

export async function dockerSetup(): Promise<RuntimeSetup> {
  const installationId = `test-${randomUUID()}`;
  const ociRuntime = process.env.TEST_DOCKER_RUNTIME;
  return {
    create: (dataDir) =>
      createDockerRuntime({ dataDir, installationId, ociRuntime, secrets: SECRET_VALUES, log: SILENT_LOG }),
    hooks: new DockerBackdoor(new Docker(), installationId),
    image: IMAGE,
    requiredTier: 'docker',
    ...reason(await whyNoDocker(IMAGE)),
  };
}

export async function kubernetesSetup(): Promise<RuntimeSetup> {
  const unavailable = await whyNoKubernetes();
  const cluster = unavailable === undefined ? await TestCluster.open() : undefined;
  return {
    create: (dataDir) => cluster!.runtime(dataDir, { reconcileMs: 2_000 }),
    hooks: {
      makeWithoutStart: (spec) => cluster!.makeWithoutStart(spec),
      removeBehind: (handle) => cluster!.removeBehind(handle),
      describe: (handle) => cluster!.describe(handle),
      leftovers: async () => {
        const left = await cluster!.leftovers();
        await cluster!.close();
        return left;
      },
    },
    image: KUBE_IMAGE,
    requiredTier: 'kubernetes',
    ...reason(unavailable),
  };
}

function reason(unavailable: string | undefined): { unavailable?: string } {
  return unavailable === undefined ? {} : { unavailable };
}
