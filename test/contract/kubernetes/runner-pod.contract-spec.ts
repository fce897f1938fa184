import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { V1Pod } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { toPod } from '../../../src/runtime/kubernetes/pod/to-pod.js';
import type { PodTemplate } from '../../../src/runtime/kubernetes/pod/to-pod.js';
import type { WorkloadSpec } from '../../../src/runtime/runtime-provider.js';
import { restrictedViolations } from '../../support/runtimes/kubernetes/pod-security.js';
import { POD_OPTIONS } from '../../support/runtimes/kubernetes/runtime-kubernetes.js';

const SPEC: WorkloadSpec = {
  name: 'runner-x',
  jobId: 'x',
  attempt: 1,
  image: 'py-exec:slim',
  workspace: { id: 'w', inputDir: '', jobDir: '', outputDir: '', spoolDir: '' },
  limits: { memoryMb: 64, cpus: 0.5, pids: 8, tmpBytes: 1024 * 1024 },
  network: 'NONE',
  timeoutSeconds: 5,
  graceSeconds: 1,
  secrets: [],
};

const TEMPLATE: PodTemplate = {
  namespace: 'n',
  installationId: 'i',
  volumeClaims: { inputs: 'a', outputs: 'b', logs: 'c' },
  secretName: 's',
  startTimeoutSeconds: 300,
  options: POD_OPTIONS,
  user: { uid: 10001, gid: 10001 },
};

describe('a runner pod', () => {
  it('meets the restricted Pod Security Standard, as it is committed and however it is configured', () => {
    const path = new URL('../../../k8s/runner-pod-template.yaml', import.meta.url);
    const pods = [
      parse(readFileSync(path, 'utf8')) as V1Pod,
      toPod(SPEC, TEMPLATE),
      toPod({ ...SPEC, network: 'INTERNET', secrets: ['KEY'] }, TEMPLATE, false),
      toPod(SPEC, {
        ...TEMPLATE,
        nodeName: 'n',
        volumeClaims: { ...TEMPLATE.volumeClaims, datasets: 'd' },
        options: {
          ...POD_OPTIONS,
          runtimeClass: 'gvisor',
          hostUsers: false,
          priorityClass: 'low',
          queueName: 'q',
          imagePullSecrets: ['registry'],
          nodeSelector: { pool: 'jobs' },
          tolerations: [{ key: 'jobs', operator: 'Exists' }],
        },
      }),
    ];
    for (const pod of pods) expect(restrictedViolations(pod.spec!)).toEqual([]);
  });

  it('carries no token of the cluster, no value of a secret, and limits for everything', () => {
    const { spec } = toPod({ ...SPEC, secrets: ['KEY'] }, TEMPLATE);
    expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
    const [runner] = spec!.containers;
    expect(runner!.env).toContainEqual({
      name: 'KEY',
      valueFrom: { secretKeyRef: { name: 's', key: 'KEY', optional: false } },
    });
    expect(Object.keys(runner!.resources!.limits!).sort()).toEqual(['cpu', 'ephemeral-storage', 'memory']);
    expect(spec!.activeDeadlineSeconds).toBe(5 + 300 + 1 + 30);
  });
});
