import { describe, expect, it } from '@jest/globals';
import type { V1Pod } from '@kubernetes/client-node';
import { MiB } from '../../../common/bytes.js';
import { workspacePaths } from '../../../workspace/workspace-paths.js';
import type { WorkloadSpec } from '../../runtime-provider.js';
import type { PodOptions } from '../kubernetes-options.js';
import type { PodTemplate } from './to-pod.js';
import { toPod } from './to-pod.js';

const SPEC: WorkloadSpec = {
  name: 'runner-1-2',
  jobId: '1',
  attempt: 2,
  image: 'py-exec:slim',
  workspace: workspacePaths('/data/workspaces', 'w'),
  limits: { memoryMb: 512, cpus: 1.5, pids: 99, tmpBytes: 5 * MiB },
  network: 'NONE',
  timeoutSeconds: 60,
  graceSeconds: 10,
  secrets: [],
};
const OPTIONS: PodOptions = {
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  cpuRequestPercent: 10,
  ephemeralStorageMb: 64,
  nodeSelector: {},
  tolerations: [],
};
const TEMPLATE: PodTemplate = {
  namespace: 'jobs',
  installationId: 'here',
  volumeClaims: { inputs: 'ci', outputs: 'co', logs: 'cl' },
  secretName: 'keys',
  startTimeoutSeconds: 300,
  options: OPTIONS,
  user: { uid: 10001, gid: 10002 },
};

const podOf = (
  spec: Partial<WorkloadSpec> = {},
  options: Partial<PodOptions> = {},
  template: Partial<PodTemplate> = {},
): V1Pod => toPod({ ...SPEC, ...spec }, { ...TEMPLATE, ...template, options: { ...OPTIONS, ...options } });
const specOf = (...args: Parameters<typeof podOf>): NonNullable<V1Pod['spec']> => podOf(...args).spec!;
const containerOf = (...args: Parameters<typeof podOf>): NonNullable<V1Pod['spec']>['containers'][number] =>
  specOf(...args).containers[0]!;

describe('toPod', () => {
  it('gives the same pod for the same spec', () => expect(podOf()).toEqual(podOf()));

  it('names and labels the pod by its attempt', () => {
    expect(podOf().metadata).toEqual({
      name: 'runner-1-2',
      namespace: 'jobs',
      labels: {
        'app.kubernetes.io/name': 'maps-runner',
        'app.kubernetes.io/component': 'runner',
        'app.kubernetes.io/managed-by': 'maps-backend',
        'maps-python/installation': 'here',
        'maps-python/job-id': '1',
        'maps-python/attempt': '2',
        'maps-python/workspace': 'w',
        'maps-python/network': 'none',
      },
    });
    expect(podOf({ network: 'INTERNET' }).metadata?.labels).toMatchObject({
      'maps-python/network': 'internet',
    });
  });

  it('lets a worker take its job from the volume claim, once that comes, and names no job', () => {
    const worker = { preload: ['geopandas', 'json'], idleSeconds: 660 };
    const pod = toPod({ ...SPEC, jobId: null, attempt: null, worker }, TEMPLATE, false);
    expect(Object.keys(pod.metadata?.labels ?? {})).not.toContain('maps-python/job-id');
    expect(pod.spec?.containers[0]?.env).toEqual([
      { name: 'RUNNER_STOP_FILE', value: '/control/stop' },
      { name: 'RUNNER_WORKER', value: '1' },
      { name: 'RUNNER_WORKER_IDLE_SECONDS', value: '660' },
      { name: 'RUNNER_PRELOAD', value: 'geopandas,json' },
    ]);
    const mounts = pod.spec?.containers[0]?.volumeMounts;
    expect(mounts).toContainEqual({ name: 'inputs', mountPath: '/job', subPath: 'w/job', readOnly: true });
    expect(pod.spec?.volumes?.filter(({ configMap }) => configMap)).toEqual([]);
  });

  it('gives the pod nothing of the cluster and no second run', () => {
    expect(specOf()).toMatchObject({
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 10001,
        runAsGroup: 10002,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    expect(containerOf().securityContext).toEqual({
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it.each([
    [60, 10, 300, 400],
    [0.5, 0.2, 1, 32],
    [2 ** 31, 10, 300, 2 ** 31 - 1],
  ])(
    'ends by itself behind the runner: %d s with %d s of grace',
    (timeoutSeconds, graceSeconds, startTimeoutSeconds, deadline) => {
      const spec = specOf({ timeoutSeconds, graceSeconds }, {}, { startTimeoutSeconds });
      expect(spec.activeDeadlineSeconds).toBe(deadline);
      expect(spec.terminationGracePeriodSeconds).toBe(Math.ceil(graceSeconds) + 3);
    },
  );

  it('requests all of the memory and a share of the CPU', () => {
    expect(containerOf().resources).toEqual({
      limits: { memory: '512Mi', 'ephemeral-storage': '64Mi', cpu: '1500m' },
      requests: { memory: '512Mi', 'ephemeral-storage': '64Mi', cpu: '150m' },
    });
    const least = { memoryMb: 16, cpus: 0.0001, pids: 1, tmpBytes: 1 };
    expect(containerOf({ limits: least }).resources).toMatchObject({
      limits: { cpu: '1m' },
      requests: { cpu: '1m' },
    });
  });

  it('mounts the folders of its own workspace, and only those it writes to for writing', () => {
    const mounts = containerOf().volumeMounts!.map(({ name, mountPath, subPath, readOnly }) =>
      [name, mountPath, subPath ?? '', readOnly ? 'ro' : 'rw'].join(' '),
    );
    expect(mounts).toEqual([
      'job /job  ro',
      'inputs /input w/files ro',
      'inputs /control w/job ro',
      'outputs /output w rw',
      'logs /spool w rw',
      'tmp /tmp  rw',
      'shm /dev/shm  rw',
    ]);
    expect(specOf().volumes).toEqual([
      { name: 'job', configMap: { name: 'runner-1-2', defaultMode: 0o444 } },
      { name: 'inputs', persistentVolumeClaim: { claimName: 'ci' } },
      { name: 'outputs', persistentVolumeClaim: { claimName: 'co' } },
      { name: 'logs', persistentVolumeClaim: { claimName: 'cl' } },
      { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '5Mi' } },
      { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: '256Mi' } },
    ]);
  });

  it('takes the order from the volume claim when no ConfigMap holds it', () => {
    const { containers, volumes } = toPod(SPEC, TEMPLATE, false).spec!;
    expect(containers[0]!.volumeMounts![0]).toEqual({
      name: 'inputs',
      mountPath: '/job',
      subPath: 'w/job',
      readOnly: true,
    });
    expect(volumes!.map(({ name }) => name)).not.toContain('job');
  });

  it('mounts data sets read-only where there are some', () => {
    const template = { volumeClaims: { ...TEMPLATE.volumeClaims, datasets: 'cd' } };
    expect(containerOf({}, {}, template).volumeMounts).toContainEqual({
      name: 'datasets',
      mountPath: '/data',
      readOnly: true,
    });
    expect(specOf({}, {}, template).volumes).toContainEqual({
      name: 'datasets',
      persistentVolumeClaim: { claimName: 'cd', readOnly: true },
    });
  });

  it('names secrets and holds none', () => {
    expect(containerOf({ secrets: ['API_KEY'] }).env).toEqual([
      { name: 'RUNNER_STOP_FILE', value: '/control/stop' },
      { name: 'API_KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'API_KEY', optional: false } } },
    ]);
  });

  it.each([
    ['runtimeClassName', { runtimeClass: 'gvisor' }, 'gvisor'],
    ['hostUsers', { hostUsers: false }, false],
    ['priorityClassName', { priorityClass: 'low' }, 'low'],
    ['imagePullSecrets', { imagePullSecrets: ['a', 'b'] }, [{ name: 'a' }, { name: 'b' }]],
    ['nodeSelector', { nodeSelector: { disk: 'ssd' } }, { disk: 'ssd' }],
    ['tolerations', { tolerations: [{ key: 'jobs' }] }, [{ key: 'jobs' }]],
  ] as const)('has %s when an operator says so, and else not', (field, options, expected) => {
    expect(specOf({}, options)[field]).toEqual(expected);
    expect(specOf()).not.toHaveProperty(field);
  });

  it('queues the pod where an operator names a queue', () => {
    expect(podOf({}, { queueName: 'jobs' }).metadata?.labels).toMatchObject({
      'kueue.x-k8s.io/queue-name': 'jobs',
    });
  });

  it('binds the pod to a node by the name of the node', () => {
    expect(specOf({}, {}, { nodeName: 'node-7' }).affinity).toEqual({
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-7'] }] },
          ],
        },
      },
    });
    expect(specOf()).not.toHaveProperty('affinity');
  });

  it('tells the runner to wait for the policy where that is ordered, by addresses that the kubelet fills in', () => {
    const variables = (isRequired: boolean): unknown =>
      toPod(SPEC, TEMPLATE, true, { seconds: 10, isRequired }).spec!.containers[0]!.env!.slice(1);
    const required = [
      { name: 'RUNNER_NODE_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
      {
        name: 'RUNNER_AWAIT_CLOSED',
        value: '$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT),$(RUNNER_NODE_IP):10250',
      },
      { name: 'RUNNER_AWAIT_CLOSED_SECONDS', value: '10' },
    ];
    expect(variables(true)).toEqual(required);
    expect(variables(false)).toEqual([...required, { name: 'RUNNER_AWAIT_CLOSED_ELSE', value: 'start' }]);
    expect(JSON.stringify(podOf())).not.toContain('AWAIT_CLOSED');
  });
});
