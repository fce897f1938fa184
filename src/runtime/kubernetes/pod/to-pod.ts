import type { V1Container, V1Pod, V1PodSpec, V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import { MiB } from '../../../common/bytes.js';
import { RUNNER_FOLDERS, STOP_FILE } from '../../../runner/files.js';
import { RUNNER_VARIABLES, workerVariables } from '../../../runner/variables.js';
import type { RunnerUser } from '../../../workspace/runner-user.js';
import type { WorkloadLimits, WorkloadSpec } from '../../runtime-provider.js';
import type { VolumeClaimNames, PodOptions } from '../kubernetes-options.js';
import { QUEUE_LABEL, toLabels } from '../labels.js';
import type { NetworkGate } from './network-gate.js';
import { gateVariables } from './network-gate.js';

/** Where the pod looks for the stop request; the folder is the server's own, and read-only in the pod. */
const CONTROL_DIR = '/control';

/** Time for the runner to write its last frame after the script was killed; the kubelet's own kill comes later. */
export const STOP_MARGIN_SECONDS = 3;
/** What the cluster adds to the times it is told: scheduling, mounting, writing down how a container ended. */
const DEADLINE_MARGIN_SECONDS = 30;
const MAX_INT32 = 2 ** 31 - 1;

/** What is the same for every pod of this server. */
export interface PodTemplate {
  readonly namespace: string;
  readonly installationId: string;
  readonly volumeClaims: VolumeClaimNames;
  readonly secretName: string;
  readonly startTimeoutSeconds: number;
  readonly options: PodOptions;
  readonly user: RunnerUser;
  /** Set when a volume claim can be mounted by one node only: the node of this server. */
  readonly nodeName?: string;
}

/**
 * The pod of one attempt. Pure: the same spec gives the same pod. `hasConfigMap`: the script lies in one. `gate`: what its
 * runner waits for.
 */
export function toPod(
  spec: WorkloadSpec,
  template: PodTemplate,
  hasConfigMap = true,
  gate?: NetworkGate,
): V1Pod {
  const { options, user } = template;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: spec.name,
      namespace: template.namespace,
      labels: {
        ...toLabels(spec, template.installationId),
        ...(options.queueName ? { [QUEUE_LABEL]: options.queueName } : {}),
      },
    },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      activeDeadlineSeconds: deadlineSeconds(spec, template),
      terminationGracePeriodSeconds: Math.ceil(spec.graceSeconds) + STOP_MARGIN_SECONDS,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: user.uid,
        runAsGroup: user.gid,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      ...placement(template),
      containers: [toContainer(spec, template, hasConfigMap, gate)],
      volumes: toVolumes(spec, template.volumeClaims, hasConfigMap),
    },
  };
}

/** Counts from the kubelet's acceptance of the pod, so that fetching the image is in it. */
function deadlineSeconds(spec: WorkloadSpec, { startTimeoutSeconds }: PodTemplate): number {
  const seconds = spec.timeoutSeconds + startTimeoutSeconds + spec.graceSeconds + DEADLINE_MARGIN_SECONDS;
  return Math.min(Math.ceil(seconds), MAX_INT32);
}

function toContainer(
  spec: WorkloadSpec,
  template: PodTemplate,
  hasConfigMap: boolean,
  gate: NetworkGate | undefined,
): V1Container {
  return {
    name: 'runner',
    image: spec.image,
    imagePullPolicy: template.options.imagePullPolicy,
    env: [
      { name: RUNNER_VARIABLES.stopFile, value: `${CONTROL_DIR}/${STOP_FILE}` },
      ...Object.entries(workerVariables(spec.worker)).map(([name, value]) => ({ name, value })),
      ...gateVariables(gate),
      ...spec.secrets.map((name) => ({
        name,
        valueFrom: { secretKeyRef: { name: template.secretName, key: name, optional: false } },
      })),
    ],
    resources: toResources(spec.limits, template.options),
    securityContext: {
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: toMounts(spec, template.volumeClaims, hasConfigMap),
  };
}

/** Memory cannot be taken back, so all of it is requested; a CPU that is not used is others'. */
function toResources({ memoryMb, cpus }: WorkloadLimits, options: PodOptions): V1Container['resources'] {
  const milliCpus = Math.max(1, Math.round(cpus * 1000));
  const same = { memory: `${memoryMb}Mi`, 'ephemeral-storage': `${options.ephemeralStorageMb}Mi` };
  const requested = Math.max(1, Math.round((milliCpus * options.cpuRequestPercent) / 100));
  return { limits: { ...same, cpu: `${milliCpus}m` }, requests: { ...same, cpu: `${requested}m` } };
}

function toMounts(
  { workspace }: WorkloadSpec,
  volumeClaims: VolumeClaimNames,
  hasConfigMap: boolean,
): V1VolumeMount[] {
  const { id } = workspace;
  const jobFolder = { name: 'inputs', subPath: `${id}/job`, readOnly: true };
  return [
    hasConfigMap
      ? { name: 'job', mountPath: RUNNER_FOLDERS.job, readOnly: true }
      : { mountPath: RUNNER_FOLDERS.job, ...jobFolder },
    { name: 'inputs', mountPath: RUNNER_FOLDERS.input, subPath: `${id}/files`, readOnly: true },
    { mountPath: CONTROL_DIR, ...jobFolder },
    { name: 'outputs', mountPath: RUNNER_FOLDERS.output, subPath: id },
    { name: 'logs', mountPath: RUNNER_FOLDERS.spool, subPath: id },
    { name: 'tmp', mountPath: '/tmp' },
    { name: 'shm', mountPath: '/dev/shm' },
    ...(volumeClaims.datasets ? [{ name: 'datasets', mountPath: '/data', readOnly: true }] : []),
  ];
}

function toVolumes(
  { name, limits }: WorkloadSpec,
  volumeClaims: VolumeClaimNames,
  hasConfigMap: boolean,
): V1Volume[] {
  const volumeClaim = (volume: string, claimName: string, readOnly?: true): V1Volume => ({
    name: volume,
    persistentVolumeClaim: { claimName, ...(readOnly ? { readOnly } : {}) },
  });
  return [
    ...(hasConfigMap ? [{ name: 'job', configMap: { name, defaultMode: 0o444 } }] : []),
    volumeClaim('inputs', volumeClaims.inputs),
    volumeClaim('outputs', volumeClaims.outputs),
    volumeClaim('logs', volumeClaims.logs),
    // In memory, as on the other runtimes: a node's disk is nobody's to fill.
    { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: toQuantity(limits.tmpBytes) } },
    // The engine's 64 MiB would fail multiprocessing with large arrays.
    { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: toQuantity((limits.memoryMb * MiB) / 2) } },
    ...(volumeClaims.datasets ? [volumeClaim('datasets', volumeClaims.datasets, true)] : []),
  ];
}

function toQuantity(bytes: number): string {
  return bytes % MiB === 0 ? `${bytes / MiB}Mi` : String(Math.floor(bytes));
}

function placement({ options, nodeName }: PodTemplate): Partial<V1PodSpec> {
  return {
    ...(options.runtimeClass ? { runtimeClassName: options.runtimeClass } : {}),
    ...(options.hostUsers === undefined ? {} : { hostUsers: options.hostUsers }),
    ...(options.priorityClass ? { priorityClassName: options.priorityClass } : {}),
    ...(options.imagePullSecrets.length > 0
      ? { imagePullSecrets: options.imagePullSecrets.map((name) => ({ name })) }
      : {}),
    ...(Object.keys(options.nodeSelector).length > 0 ? { nodeSelector: { ...options.nodeSelector } } : {}),
    ...(options.tolerations.length > 0
      ? { tolerations: [...options.tolerations] as V1PodSpec['tolerations'] }
      : {}),
    ...(nodeName ? { affinity: { nodeAffinity: onNode(nodeName) } } : {}),
  };
}

/** By the node's name, not by its label, which may be another word. */
function onNode(name: string): NonNullable<V1PodSpec['affinity']>['nodeAffinity'] {
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [name] }];
  return { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } };
}
