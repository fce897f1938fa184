import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:net';
import type { V1NetworkPolicy } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import type { RuntimeProvider } from '../../../../src/runtime/runtime-provider.js';
import type { Ended } from '../runtime-bench.js';
import { PATIENCE_MS, RuntimeBench, fixture } from '../runtime-bench.js';
import { KUBE_IMAGE, TestCluster } from './runtime-kubernetes.js';
import { waitFor } from '../../wait-for.js';

const POLICIES = new URL('../../../../k8s/base/network-policy.yaml', import.meta.url);
const KUBELET_PORT = 10250;
const SERVES = ['python3', '-m', 'http.server', '8080', '--directory', '/usr/share'];
/** More than an agent needs to hear of a pod. */
const CLOSING_SECONDS = 8;

export interface HostileReport {
  /** Connections by target. */
  taken: Record<string, number>;
  rounds: number;
  /** Rounds in a row, the last one included, in which nothing took one. */
  closed: number;
}

interface SeenPod {
  status: { podIP?: string; hostIP?: string; phase?: string };
}

/** A namespace with our policies, and all that a job without network must not reach. */
export class NetworkStage {
  private readonly targets: Record<string, [string, number]> = {};
  private listener?: Server;
  /** Whether the cluster enforces the policies, as a job without any wait finds out. */
  isEnforced = false;

  private constructor(
    readonly cluster: TestCluster,
    /** Its provider orders no wait. */
    readonly bench: RuntimeBench,
  ) {}

  static async open(): Promise<NetworkStage> {
    const cluster = await TestCluster.open();
    const create = (folder: string): Promise<RuntimeProvider> => cluster.runtime(folder);
    const bench = await RuntimeBench.open({ create, hooks: cluster, image: KUBE_IMAGE });
    const stage = new NetworkStage(cluster, bench);
    await stage.applyPolicies();
    await stage.openTargets();
    stage.isEnforced = await stage.closesByItself();
    return stage;
  }

  async applyPolicies(): Promise<void> {
    for (const document of parseAllDocuments(readFileSync(POLICIES, 'utf8'))) {
      const policy = document.toJS() as V1NetworkPolicy;
      await this.cluster.post(this.policies, {
        ...policy,
        metadata: { ...policy.metadata, namespace: this.cluster.namespace },
      });
    }
  }

  async removePolicies(): Promise<void> {
    await this.cluster.delete(this.policies);
  }

  /** What a hostile script needs to know. */
  request(seconds: number): object {
    return { targets: this.targets, seconds };
  }

  get targetNames(): string[] {
    return Object.keys(this.targets);
  }

  /** Its report; throws where it did not end well. */
  static report({ exit, spool }: Pick<Ended, 'exit' | 'spool'>): HostileReport {
    if (exit.kind !== 'exited' || exit.exitCode !== 0)
      throw new Error(`A hostile job ended otherwise: ${JSON.stringify(exit)} ${spool.stderr}`);
    return JSON.parse(spool.stdout) as HostileReport;
  }

  async close(): Promise<string[]> {
    const left = await this.bench.close();
    this.listener?.close();
    await this.cluster.close();
    return left;
  }

  private get policies(): string {
    return `/apis/networking.k8s.io/v1/namespaces/${this.cluster.namespace}/networkpolicies`;
  }

  private async closesByItself(): Promise<boolean> {
    const script = await fixture('hostile-network');
    const request = { ...this.request(CLOSING_SECONDS), untilClosed: true };
    const { closed } = NetworkStage.report(await this.bench.run({ script, request }));
    await this.bench.tidy();
    return closed > 0;
  }

  private async openTargets(): Promise<void> {
    const { cluster } = this;
    const pod = await this.startServer();
    const service = await cluster.get<{ spec: { clusterIP: string; ports: { port: number }[] } }>(
      '/api/v1/namespaces/default/services/kubernetes',
    );
    const endpoints = await cluster.get<{ subsets: { addresses: { ip: string }[] }[] }>(
      '/api/v1/namespaces/default/endpoints/kubernetes',
    );
    this.listener = createServer((socket) => socket.destroy()).listen(0, '0.0.0.0');
    await once(this.listener, 'listening');
    const { port } = this.listener.address() as AddressInfo;
    Object.assign(this.targets, {
      'API server': [service.spec.clusterIP, service.spec.ports[0]!.port],
      kubelet: [pod.status.hostIP, KUBELET_PORT],
      'another pod': [pod.status.podIP, 8080],
      // The API server runs on it.
      host: [endpoints.subsets[0]!.addresses[0]!.ip, port],
    });
  }

  /** A pod that is none of ours and that anybody may reach. */
  private async startServer(): Promise<SeenPod> {
    const name = `server-${randomUUID().slice(0, 8)}`;
    const path = `${this.cluster.base}/pods`;
    const readinessProbe = { tcpSocket: { port: 8080 }, periodSeconds: 1 };
    await this.cluster.post(path, {
      metadata: { name },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          { name: 'server', image: KUBE_IMAGE, imagePullPolicy: 'Never', command: SERVES, readinessProbe },
        ],
      },
    });
    return waitFor(
      async () => {
        const pod = await this.cluster.get<
          SeenPod & { status: { conditions?: { type: string; status: string }[] } }
        >(`${path}/${name}`);
        const isReady = pod.status.conditions?.some(
          ({ type, status }) => type === 'Ready' && status === 'True',
        );
        return isReady ? pod : undefined;
      },
      { deadlineMs: PATIENCE_MS, describe: () => `the pod ${name} ready` },
    );
  }
}
