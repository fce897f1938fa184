import { abortable } from '../../common/async/abort.js';
import { messageOf } from '../../common/app-error.js';
import { KeyedSingleFlight } from '../../common/async/single-flight.js';
import { runnerUser } from '../../workspace/runner-user.js';
import { workspacePaths } from '../../workspace/workspace-paths.js';
import type { WorkspaceMaker } from '../../workspace/workspace-maker.js';
import { decodeHandle, encodeHandle } from '../handle.js';
import type {
  RuntimeCapabilities,
  RuntimeHealth,
  RuntimeProvider,
  WorkloadExit,
  WorkloadSpec,
  WorkloadSummary,
} from '../runtime-provider.js';
import { RUNNER_EXIT_CODES } from '../../runner/exit-codes.js';
import { RuntimeUnavailableError, WorkloadStartError } from '../runtime.errors.js';
import { Cluster } from './api/cluster.js';
import { connect } from './api/connect.js';
import type { KubernetesOptions } from './kubernetes-options.js';
import { installationSelector, readLabels } from './labels.js';
import type { NetworkGate } from './pod/network-gate.js';
import { PROBE_GATE, lookAtNetwork } from './probes/network-probe.js';
import { NetworkSight } from './probes/network-sight.js';
import type { ObservedObject, ObservedPod } from './observed-pod.js';
import { isTerminal, terminatedState } from './observed-pod.js';
import type { PodHandle } from './pod-handle.js';
import type { ProbeRuntime } from './probes/probe-pod.js';
import { removePod } from './life/remove-pod.js';
import { requiredNode } from './pod/required-node.js';
import { PodStop } from './life/pod-stop.js';
import { PodWait } from './life/pod-wait.js';
import { PodWatch } from './life/pod-watch.js';
import { startPod } from './pod/start-pod.js';
import { prepareStopRequest } from './stop-request.js';
import type { PodTemplate } from './pod/to-pod.js';

const HEALTH_TIMEOUT_MS = 2_000;
/** How long an end can go unnoticed when the watch has gone silent; one list each time. */
const RECONCILE_MS = 30_000;
/** By then `wait` has given up a start by itself, and said why. */
const START_MARGIN_SECONDS = 30;
/** Since then a volume in memory has the size that was asked for. */
const SIZED_MEMORY_VOLUMES = 22;

export interface KubernetesRuntimeProvider extends RuntimeProvider {
  /** This server is a pod of the cluster, so that its folders are the volume claims themselves. */
  readonly isInside: boolean;
  /** Begins to try the cluster's network with pods, until `close`; their folders are in `workspaces`. Called once. */
  watchNetwork(workspaces: WorkspaceMaker): void;
}

/** Connects to the cluster. @throws RuntimeUnavailableError when it does not answer or refuses us */
export async function createKubernetesRuntime(
  options: KubernetesOptions,
  signal?: AbortSignal,
): Promise<KubernetesRuntimeProvider> {
  const { connection, isInside } = connect(options.kubeconfig);
  const cluster = new Cluster(connection, options.namespace, installationSelector(options.installationId));
  try {
    const [version, scope, nodeName] = await Promise.all([
      cluster.version(signal),
      cluster.namespaceUid(signal),
      requiredNode(cluster, options.volumeClaims, options.nodeName, options.log, signal),
    ]);
    const template: PodTemplate = {
      ...options,
      options: options.pod,
      user: runnerUser(),
      ...(nodeName ? { nodeName } : { nodeName: undefined }),
    };
    return new KubernetesRuntime(cluster, template, options, { ...version, scope, isInside });
  } catch (error) {
    cluster.close();
    throw error;
  }
}

interface ClusterFacts {
  scope: string;
  gitVersion: string;
  major: string;
  minor: string;
  isInside: boolean;
}

class KubernetesRuntime implements KubernetesRuntimeProvider {
  readonly name = 'kubernetes';
  readonly startTimeoutSeconds: number;
  readonly scope: string;
  readonly isInside: boolean;
  private readonly fixed: Omit<RuntimeCapabilities, 'networkIsolation'>;
  private readonly network: NetworkSight;
  private readonly watch: PodWatch;
  private readonly starting = new KeyedSingleFlight<string>();
  /** Ownership of ConfigMaps, written beside the way. */
  private readonly owning = new Set<Promise<void>>();
  private readonly closing = new AbortController();
  private watchingNetwork?: Promise<void>;

  constructor(
    private readonly cluster: Cluster,
    private readonly template: PodTemplate,
    private readonly options: KubernetesOptions,
    private readonly facts: ClusterFacts,
  ) {
    this.scope = facts.scope;
    this.isInside = facts.isInside;
    this.startTimeoutSeconds = options.startTimeoutSeconds + START_MARGIN_SECONDS;
    this.fixed = toFixedCapabilities(facts);
    this.network = new NetworkSight(options.networkPolicy, options.log, options.networkPace);
    this.watch = new PodWatch(cluster, options.reconcileMs ?? RECONCILE_MS, options.log);
  }

  get capabilities(): RuntimeCapabilities {
    return { networkIsolation: this.network.isHeld, ...this.fixed };
  }

  watchNetwork(workspaces: WorkspaceMaker): void {
    const { probeImage, log } = this.options;
    const probe: ProbeRuntime = {
      startTimeoutSeconds: this.startTimeoutSeconds,
      start: (spec) => this.startOnce(spec, PROBE_GATE),
      wait: (handle, signal) => this.wait(handle, signal),
      remove: (handle, signal) => this.remove(handle, signal),
    };
    this.watchingNetwork = this.network.keepLooking(
      (signal) => lookAtNetwork(probe, workspaces, probeImage, log, signal),
      this.closing.signal,
    );
  }

  /** A namespace that is elsewhere, or away, says nothing about its pods. */
  isGone(): boolean {
    return false;
  }

  async checkHealth(signal?: AbortSignal): Promise<RuntimeHealth> {
    try {
      await this.cluster.ping(HEALTH_TIMEOUT_MS, signal);
      const { namespace } = this.options;
      return {
        healthy: true,
        message: `Kubernetes ${this.facts.gitVersion} answers for namespace ${namespace}. ${this.network.sentence}`,
      };
    } catch (error) {
      signal?.throwIfAborted();
      return { healthy: false, message: messageOf(error) };
    }
  }

  /** Calls for one name share one start, so that only one of them makes requests. */
  async start(spec: WorkloadSpec, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    const start = this.starting.run(spec.name, () => this.startAsJob(spec));
    return abortable(start, signal);
  }

  async wait(handle: string, signal = new AbortController().signal): Promise<WorkloadExit> {
    const decoded = this.decode(handle);
    signal.throwIfAborted();
    const { startTimeoutSeconds } = this.options;
    const { name, uid } = decoded;
    const jobDir = this.jobDir(decoded);
    const wait = new PodWait(this.cluster, this.watch, name, uid, startTimeoutSeconds, jobDir);
    const exit = await wait.run(signal);
    if (exit.kind === 'exited' && exit.exitCode === RUNNER_EXIT_CODES.networkOpen) this.network.suspect();
    return exit;
  }

  async stop(handle: string, graceSeconds: number, signal = new AbortController().signal): Promise<void> {
    const decoded = this.decode(handle);
    signal.throwIfAborted();
    await new PodStop(this.cluster, this.watch, decoded, this.jobDir(decoded)).run(graceSeconds, signal);
  }

  async remove(handle: string, signal?: AbortSignal): Promise<void> {
    const decoded = this.decode(handle);
    await removePod(this.cluster, decoded, this.jobDir(decoded), signal);
  }

  async list(signal?: AbortSignal): Promise<WorkloadSummary[]> {
    // In this order: a ConfigMap whose pod is made in between is not taken for one without.
    const configMaps = await this.cluster.listConfigMaps(signal);
    const pods = await this.cluster.listPods(signal);
    const names = new Set(pods.items.map((pod) => pod.metadata.name));
    const withoutPod = configMaps.items.filter(({ metadata }) => !names.has(metadata.name));
    return [
      ...pods.items.map((pod) => this.toSummary(pod, pod.metadata.uid, isOver(pod) ? 'ended' : 'running')),
      ...withoutPod.map((configMap) => this.toSummary(configMap, null, 'created')),
    ];
  }

  /** Only a kubelet knows, and only once it has fetched the image. */
  async imageVersion(): Promise<undefined> {
    return undefined;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.watchingNetwork;
    this.watch.close(new RuntimeUnavailableError('The kubernetes runtime was closed.'));
    await Promise.allSettled([...this.owning, ...this.starting.current]);
    this.cluster.close();
  }

  private async startAsJob(spec: WorkloadSpec): Promise<string> {
    const refusal = this.network.refusalOf(spec);
    if (refusal) throw new WorkloadStartError(refusal);
    return this.startOnce(spec, this.network.gateFor(spec));
  }

  private async startOnce(spec: WorkloadSpec, gate: NetworkGate | undefined): Promise<string> {
    await prepareStopRequest(spec.workspace.jobDir);
    const { log } = this.options;
    const { pod, isNew } = await startPod(this.cluster, spec, this.template, log, gate);
    this.watch.note(pod);
    if (isNew) this.own(spec.name, pod);
    return this.encode(spec.name, pod.metadata.uid, spec.workspace.id);
  }

  /** The cluster then removes the ConfigMap with its pod. Should it fail, the sweep of orphans does. */
  private own(name: string, pod: ObservedPod): void {
    const owning = this.cluster
      .ownConfigMap(name, pod)
      .catch((error: unknown) =>
        this.options.log.warn({}, `The ConfigMap ${name} has no owner: ${messageOf(error)}`),
      )
      .finally(() => this.owning.delete(owning));
    this.owning.add(owning);
  }

  private toSummary(
    { metadata }: ObservedObject,
    uid: string | null,
    state: WorkloadSummary['state'],
  ): WorkloadSummary {
    const { jobId, attempt, workspace } = readLabels(metadata.labels);
    return {
      handle: this.encode(metadata.name, uid, workspace ?? ''),
      name: metadata.name,
      jobId,
      attempt,
      state,
      createdAtMs: Date.parse(metadata.creationTimestamp),
    };
  }

  private jobDir({ workspace }: PodHandle): string | undefined {
    return workspace === '' ? undefined : workspacePaths(this.options.workspaceDir, workspace).jobDir;
  }

  private encode(name: string, uid: string | null, workspace: string): string {
    const handle = { v: 1, runtime: 'kubernetes', scope: this.scope, name, uid, workspace } as const;
    return encodeHandle<PodHandle>(handle);
  }

  /** A handle from elsewhere is a fault of the caller, not a workload that is lost. */
  private decode(handle: string): PodHandle {
    const decoded = decodeHandle<PodHandle>(handle, 'kubernetes');
    if (decoded?.scope !== this.scope) throw new Error('The handle is not of this cluster and namespace.');
    return decoded;
  }
}

function isOver(pod: ObservedPod): boolean {
  return terminatedState(pod) !== undefined || isTerminal(pod);
}

/** Pids are limited by the kubelet's own setting for all pods, so that a pod of ours has no limit of its own. */
function toFixedCapabilities({ major, minor }: ClusterFacts): Omit<RuntimeCapabilities, 'networkIsolation'> {
  const isRecent = Number(major) > 1 || Number.parseInt(minor, 10) >= SIZED_MEMORY_VOLUMES;
  return {
    filesystemIsolation: true,
    processIsolation: true,
    memoryLimit: 'cgroup',
    pidsLimit: 'perUser',
    cpuLimit: true,
    tmpLimit: isRecent,
    outlivesServer: true,
    images: true,
  };
}
