import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiStatusError } from '../../../../src/runtime/kubernetes/api/api.errors.js';
import type { ApiConnection, ApiRequest } from '../../../../src/runtime/kubernetes/api/api-connection.js';
import { connect } from '../../../../src/runtime/kubernetes/api/connect.js';
import { createKubernetesRuntime } from '../../../../src/runtime/kubernetes/kubernetes.runtime.js';
import type { KubernetesOptions, PodOptions } from '../../../../src/runtime/kubernetes/kubernetes-options.js';
import type { PodHandle } from '../../../../src/runtime/kubernetes/pod-handle.js';
import { toConfigMap } from '../../../../src/runtime/kubernetes/pod/to-config-map.js';
import { decodeHandle, encodeHandle } from '../../../../src/runtime/handle.js';
import type { RuntimeProvider, WorkloadSpec } from '../../../../src/runtime/runtime-provider.js';
import { runnerUser } from '../../../../src/workspace/runner-user.js';
import { WORKSPACE_ROOTS } from '../../../../src/workspace/workspace-paths.js';
import type { RuntimeHooks } from '../runtime-bench.js';
import { PATIENCE_MS } from '../runtime-bench.js';
import { SECRET_VALUES } from '../runtime-secrets.js';
import { waitFor } from '../../wait-for.js';
import { SILENT_LOG } from '../../recorded-log.js';

const REQUEST_TIMEOUT_MS = 30_000;
export const KUBE_IMAGE = 'py-exec:slim';
const VOLUME_CLAIMS = { inputs: 'maps-inputs', outputs: 'maps-outputs', logs: 'maps-logs' };

export const POD_OPTIONS: PodOptions = {
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  cpuRequestPercent: 1,
  ephemeralStorageMb: 64,
  nodeSelector: {},
  tolerations: [],
};

interface Volume {
  metadata: { name: string };
  spec: { hostPath?: { path: string }; storageClassName?: string; claimRef?: object };
  status: { phase: string };
}

/** Why pods cannot be tested on this machine, or undefined when they can: KUBECONFIG must name a cluster to test on. */
export async function whyNoKubernetes(image = KUBE_IMAGE): Promise<string | undefined> {
  if (!process.env.KUBECONFIG) return 'KUBECONFIG names no cluster to test on.';
  try {
    const { connection } = connect(process.env.KUBECONFIG);
    const request = { method: 'GET', path: '/api/v1/nodes' } as const;
    const { items } = await connection.json<{ items: { status: { images?: { names?: string[] }[] } }[] }>(
      request,
      5_000,
    );
    connection.close();
    const images = items.flatMap(({ status }) => status.images ?? []).flatMap(({ names }) => names ?? []);
    if (images.some((name) => name.endsWith(`/${image}`) || name === image)) return undefined;
    return `No node of the cluster has the image ${image}.`;
  } catch (error) {
    return `The cluster of KUBECONFIG does not answer: ${(error as Error).message}`;
  }
}

/** The cases of the conformance suite that this cluster cannot meet without its network's help, by their ids. */
export async function kubernetesGaps(): Promise<string[]> {
  const gaps = ['no-network', 'apart-network'];
  if ((await whyNoKubernetes()) !== undefined) return gaps;
  const { connection } = connect(process.env.KUBECONFIG);
  const request = { method: 'GET', path: '/version' } as const;
  const { minor } = await connection.json<{ minor: string }>(request, REQUEST_TIMEOUT_MS);
  connection.close();
  // A volume in memory has a size of its own since 1.22.
  return Number.parseInt(minor, 10) < 22 ? ['tmp', ...gaps] : gaps;
}

/**
 * A namespace of its own on a real cluster, with the three volume claims bound to folders of this machine, so that a server
 * outside the cluster shares them. Everything is removed by `close`.
 */
export class TestCluster implements RuntimeHooks {
  readonly namespace = `maps-test-${randomUUID().slice(0, 8)}`;
  readonly installationId = `test-${randomUUID()}`;
  private readonly folders = new Map<string, string>();

  private constructor(private readonly connection: ApiConnection) {}

  static async open(): Promise<TestCluster> {
    const cluster = new TestCluster(connect(process.env.KUBECONFIG).connection);
    await cluster.post('/api/v1/namespaces', { metadata: { name: cluster.namespace } });
    // Pods are refused until the cluster has made it.
    await waitFor(() => cluster.find(`${cluster.base}/serviceaccounts/default`), {
      deadlineMs: PATIENCE_MS,
    });
    for (const volumeClaim of Object.values(VOLUME_CLAIMS)) await cluster.makeVolumeClaim(volumeClaim);
    const stringData = Object.fromEntries(SECRET_VALUES);
    await cluster.post(`${cluster.base}/secrets`, { metadata: { name: 'maps-api-keys' }, stringData });
    for (const [root, volumeClaim] of Object.entries(VOLUME_CLAIMS))
      cluster.folders.set(root, await cluster.folderOf(volumeClaim));
    return cluster;
  }

  options(dataDir: string, more: Partial<KubernetesOptions> = {}): KubernetesOptions {
    return {
      kubeconfig: process.env.KUBECONFIG ?? '',
      namespace: this.namespace,
      workspaceDir: join(dataDir, 'workspaces'),
      volumeClaims: VOLUME_CLAIMS,
      installationId: this.installationId,
      secretName: 'maps-api-keys',
      startTimeoutSeconds: 60,
      pod: POD_OPTIONS,
      networkPolicy: 'off',
      probeImage: KUBE_IMAGE,
      log: SILENT_LOG,
      ...more,
    };
  }

  async runtime(dataDir: string, more: Partial<KubernetesOptions> = {}): Promise<RuntimeProvider> {
    await this.linkFolders(join(dataDir, 'workspaces'));
    return createKubernetesRuntime(this.options(dataDir, more));
  }

  /** Makes `inputs/`, `outputs/` and `logs/` links to the folders behind the volume claims. */
  async linkFolders(workspaceDir: string): Promise<void> {
    await mkdir(workspaceDir, { recursive: true });
    for (const root of WORKSPACE_ROOTS) {
      const link = join(workspaceDir, root);
      if (!existsSync(link)) await symlink(this.folders.get(root) ?? '', link);
    }
  }

  async makeWithoutStart(spec: WorkloadSpec): Promise<string> {
    const { installationId, namespace } = this;
    const template = {
      ...this.options('/'),
      installationId,
      namespace,
      options: POD_OPTIONS,
      user: runnerUser(),
    };
    await this.post(`${this.base}/configmaps`, await toConfigMap(spec, template));
    const scope = await this.scope();
    const handle = { name: spec.name, uid: null, workspace: spec.workspace.id };
    return encodeHandle<PodHandle>({ v: 1, runtime: 'kubernetes', scope, ...handle });
  }

  async removeBehind(handle: string): Promise<void> {
    const { name } = decodeHandle<PodHandle>(handle, 'kubernetes')!;
    await this.request({ method: 'DELETE', path: `${this.base}/pods/${name}` });
  }

  /** All that the cluster tells about a workload. */
  async describe(handle: string): Promise<string> {
    const { name } = decodeHandle<PodHandle>(handle, 'kubernetes')!;
    const told = await Promise.all([
      this.get(`${this.base}/pods/${name}`),
      this.get(`${this.base}/configmaps/${name}`),
      this.get(`${this.base}/events`),
    ]);
    return JSON.stringify(told);
  }

  async leftovers(): Promise<string[]> {
    const left = await this.objectsLeft(`maps-python/installation=${this.installationId}`);
    for (const [root, folder] of this.folders)
      left.push(...(await readdir(folder)).map((name) => `folder ${root}/${name}`));
    return left;
  }

  /** Every workload object in the namespace, of any installation. */
  async objectsLeft(labelSelector = 'app.kubernetes.io/name=maps-runner'): Promise<string[]> {
    const left: string[] = [];
    for (const kind of ['pods', 'configmaps', 'secrets']) {
      const request = { method: 'GET', path: `${this.base}/${kind}`, query: { labelSelector } } as const;
      const { items } = await this.request<{ items: { metadata: { name: string } }[] }>(request);
      left.push(...items.map(({ metadata }) => `${kind} ${metadata.name}`));
    }
    return left;
  }

  /** Deletes the namespace and makes its volumes free again. */
  async close(): Promise<void> {
    await this.request({ method: 'DELETE', path: `/api/v1/namespaces/${this.namespace}` });
    await waitFor(async () => (await this.find(`/api/v1/namespaces/${this.namespace}`)) === undefined, {
      deadlineMs: PATIENCE_MS,
      describe: () => `the namespace ${this.namespace} gone`,
    });
    const folders = new Set(this.folders.values());
    for (const volume of (await this.get<{ items: Volume[] }>('/api/v1/persistentvolumes')).items) {
      const path = volume.spec.hostPath?.path;
      if (path === undefined || !folders.has(path)) continue;
      for (const name of await readdir(path)) await rm(join(path, name), { recursive: true, force: true });
      await this.patch(`/api/v1/persistentvolumes/${volume.metadata.name}`, { spec: { claimRef: null } });
    }
    this.connection.close();
  }

  get<T>(path: string): Promise<T> {
    return this.request<T>({ method: 'GET', path });
  }

  async find<T>(path: string): Promise<T | undefined> {
    return this.get<T>(path).catch((error: unknown) => {
      if (error instanceof ApiStatusError && error.status === 404) return undefined;
      throw error;
    });
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.request<T>({ method: 'POST', path, body });
  }

  patch<T>(path: string, body: unknown): Promise<T> {
    return this.request<T>({ method: 'PATCH', path, body, contentType: 'application/merge-patch+json' });
  }

  delete<T>(path: string, body?: unknown): Promise<T> {
    return this.request<T>({ method: 'DELETE', path, body });
  }

  get base(): string {
    return `/api/v1/namespaces/${this.namespace}`;
  }

  private async scope(): Promise<string> {
    return (await this.get<{ metadata: { uid: string } }>(this.base)).metadata.uid;
  }

  private async makeVolumeClaim(name: string): Promise<void> {
    await this.post(`${this.base}/persistentvolumeclaims`, {
      metadata: { name },
      spec: { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '1Gi' } } },
    });
  }

  /** The folder of this machine behind a volume claim. */
  private async folderOf(volumeClaim: string): Promise<string> {
    const path = `${this.base}/persistentvolumeclaims/${volumeClaim}`;
    let volumeName: string | undefined;
    await waitFor(
      async () => {
        const found = await this.get<{ spec: { volumeName?: string }; status: { phase: string } }>(path);
        volumeName = found.status.phase === 'Bound' ? found.spec.volumeName : undefined;
        return volumeName !== undefined;
      },
      { deadlineMs: PATIENCE_MS, describe: () => `the claim ${volumeClaim} bound` },
    );
    const volume = await this.get<Volume>(`/api/v1/persistentvolumes/${volumeName}`);
    const folder = volume.spec.hostPath?.path;
    if (folder === undefined || !existsSync(folder))
      throw new Error(`The volume of ${volumeClaim} is no folder of this machine.`);
    return folder;
  }

  private request<T>(request: ApiRequest): Promise<T> {
    return this.connection.json<T>(request, REQUEST_TIMEOUT_MS);
  }
}
