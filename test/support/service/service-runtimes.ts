import { afterAll, describe, expect } from '@jest/globals';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whyNoDocker } from '../runtimes/docker/runtime-docker.js';
import { TestCluster, whyNoKubernetes } from '../runtimes/kubernetes/runtime-kubernetes.js';
import { findProcess } from '../runtimes/process/runtime-process.js';
import { describeTier } from '../runtimes/runtime-tier.js';

type RuntimeName = 'process' | 'docker' | 'kubernetes';

interface ServiceRuntime {
  name: RuntimeName;
  variables: Record<string, string>;
  /** False for processes without a sandbox: a script then sees this machine, and its folders are not at the usual paths. */
  isolates: boolean;
}

interface FoundRuntime extends ServiceRuntime {
  unavailable: string | undefined;
  /** What it is made of, where its name does not tell. */
  used?: string;
  /** Closes what was opened for it; returns what was left behind, by name. */
  close(): Promise<string[]>;
}

const FIND: Record<RuntimeName, () => Promise<FoundRuntime>> = {
  process: async () => {
    const { unavailable, used, variables, isolation } = await findProcess();
    return { ...found('process', unavailable), used, variables, isolates: isolation !== 'none' };
  },
  docker: async () => found('docker', await whyNoDocker('py-exec:slim')),
  kubernetes: async () => {
    const unavailable = await whyNoKubernetes();
    return unavailable === undefined ? openCluster() : found('kubernetes', unavailable);
  },
};
const CLOSE_MS = 120_000;

/** As below, for what has nothing to do with a cluster. */
export function describeLocalRuntimes(body: (runtime: ServiceRuntime) => void): Promise<void> {
  return describeServiceRuntimes(body, ['process', 'docker']);
}

/** Runs the same body on every runtime that this machine has. */
export async function describeServiceRuntimes(
  body: (runtime: ServiceRuntime) => void,
  names: readonly RuntimeName[] = ['process', 'docker', 'kubernetes'],
): Promise<void> {
  const runtimes = await Promise.all(names.map((name) => FIND[name]()));
  for (const runtime of runtimes) {
    const tests = (): void => {
      describe(`with jobs on ${runtime.name}`, () => {
        // Registered first, so that it runs after the services of the body were stopped.
        afterAll(async () => expect(await runtime.close()).toEqual([]), CLOSE_MS);
        body(runtime);
      });
    };
    describeTier(runtime.name, runtime.unavailable, tests, runtime.used);
  }
}

function found(name: RuntimeName, unavailable: string | undefined): FoundRuntime {
  const variables = { EXECUTION_RUNTIME: name };
  return { name, unavailable, variables, isolates: true, close: () => Promise.resolve([]) };
}

/** A namespace whose claims are folders of this machine: the service runs outside the cluster, beside the test. */
async function openCluster(): Promise<FoundRuntime> {
  const cluster = await TestCluster.open();
  const workspaceDir = mkdtempSync(join(tmpdir(), 'maps-e2e-claims-'));
  await cluster.linkFolders(workspaceDir);
  return {
    name: 'kubernetes',
    unavailable: undefined,
    isolates: true,
    variables: {
      EXECUTION_RUNTIME: 'kubernetes',
      KUBECONFIG: process.env.KUBECONFIG ?? '',
      K8S_NAMESPACE: cluster.namespace,
      K8S_CPU_REQUEST_PERCENT: '1',
      // There is no policy in this namespace, and no pod of a probe is to be among those that are looked at.
      K8S_NETWORK_POLICY: 'false',
      WORKSPACE_DIR: workspaceDir,
    },
    close: async () => {
      const left = await cluster.objectsLeft();
      await cluster.close();
      await rm(workspaceDir, { recursive: true, force: true });
      return left;
    },
  };
}
