import { afterAll, describe, expect } from '@jest/globals';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whyNoDocker } from './runtime-docker.js';
import { TestCluster, whyNoKubernetes } from './runtime-kubernetes.js';
import { whyNoProcess } from './runtime-process.js';
import { describeTier } from './runtime-tier.js';

type RuntimeName = 'process' | 'docker' | 'kubernetes';

interface ServiceRuntime {
  name: RuntimeName;
  variables: Record<string, string>;
}

interface FoundRuntime extends ServiceRuntime {
  unavailable: string | undefined;
  /** Closes what was opened for it; returns what was left behind, by name. */
  close(): Promise<string[]>;
}

const WHY_NOT: Record<RuntimeName, () => Promise<string | undefined>> = {
  process: () => whyNoProcess('bubblewrap'),
  docker: () => whyNoDocker('py-exec:slim'),
  kubernetes: () => whyNoKubernetes(),
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
  const found = await Promise.all(names.map(find));
  for (const runtime of found) {
    describeTier(runtime.name, runtime.unavailable, () => {
      describe(`with jobs on ${runtime.name}`, () => {
        // Registered first, so that it runs after the services of the body were stopped.
        afterAll(async () => expect(await runtime.close()).toEqual([]), CLOSE_MS);
        body(runtime);
      });
    });
  }
}

async function find(name: RuntimeName): Promise<FoundRuntime> {
  const unavailable = await WHY_NOT[name]();
  if (unavailable === undefined && name === 'kubernetes') return openCluster();
  return { name, unavailable, variables: { EXECUTION_RUNTIME: name }, close: () => Promise.resolve([]) };
}

/** A namespace whose claims are folders of this machine: the service runs outside the cluster, beside the test. */
async function openCluster(): Promise<FoundRuntime> {
  const cluster = await TestCluster.open();
  const workspaceDir = mkdtempSync(join(tmpdir(), 'maps-e2e-claims-'));
  await cluster.linkFolders(workspaceDir);
  return {
    name: 'kubernetes',
    unavailable: undefined,
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
