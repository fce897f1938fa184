import { describe, expect, it } from '@jest/globals';
import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import { RESTRICTED_RULES, restrictedViolations } from '../../support/runtimes/kubernetes/pod-security.js';

const CONTAINER: V1Container = {
  name: 'main',
  image: 'image',
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
};

const POD: V1PodSpec = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [CONTAINER],
};

type Context = NonNullable<V1Container['securityContext']>;

const withContainer = (change: Partial<V1Container>): V1PodSpec => ({
  ...POD,
  containers: [{ ...CONTAINER, ...change }],
});
const withContext = (change: Context): V1PodSpec =>
  withContainer({ securityContext: { ...CONTAINER.securityContext, ...change } });
const withPodContext = (change: V1PodSpec['securityContext']): V1PodSpec => ({
  ...POD,
  securityContext: { ...POD.securityContext, ...change },
});

/** At least one pod for each rule that breaks this rule. */
const BREAKS: Record<string, V1PodSpec[]> = {
  HostProcess: [
    withContext({ windowsOptions: { hostProcess: true } }),
    withPodContext({ windowsOptions: { hostProcess: true } }),
  ],
  'Host Namespaces': [
    { ...POD, hostNetwork: true },
    { ...POD, hostPID: true },
    { ...POD, hostIPC: true },
  ],
  'Privileged Containers': [withContext({ privileged: true })],
  Capabilities: [
    withContext({ capabilities: undefined }),
    withContext({ capabilities: { drop: ['NET_RAW'] } }),
    withContext({ capabilities: { drop: ['ALL'], add: ['SYS_PTRACE'] } }),
  ],
  'HostPath Volumes': [{ ...POD, volumes: [{ name: 'host', hostPath: { path: '/' } }] }],
  'Host Ports': [withContainer({ ports: [{ containerPort: 80, hostPort: 80 }] })],
  'Host Probes / Lifecycle Hooks': [
    withContainer({ livenessProbe: { httpGet: { port: 80, host: '169.254.169.254' } } }),
    withContainer({ lifecycle: { preStop: { tcpSocket: { port: 80, host: '10.0.0.1' } } } }),
  ],
  AppArmor: [
    withContext({ appArmorProfile: { type: 'Unconfined' } }),
    withPodContext({ appArmorProfile: { type: 'Unconfined' } }),
  ],
  SELinux: [
    withContext({ seLinuxOptions: { type: 'spc_t' } }),
    withPodContext({ seLinuxOptions: { user: 'root' } }),
    withContext({ seLinuxOptions: { role: 'sysadm_r' } }),
  ],
  '/proc Mount Type': [withContext({ procMount: 'Unmasked' })],
  Seccomp: [
    withPodContext({ seccompProfile: undefined }),
    withPodContext({ seccompProfile: { type: 'Unconfined' } }),
    withContext({ seccompProfile: { type: 'Unconfined' } }),
  ],
  Sysctls: [withPodContext({ sysctls: [{ name: 'kernel.msgmax', value: '1' }] })],
  'Volume Types': [{ ...POD, volumes: [{ name: 'share', nfs: { server: 'nfs', path: '/' } }] }],
  'Privilege Escalation': [
    withContext({ allowPrivilegeEscalation: true }),
    withContext({ allowPrivilegeEscalation: undefined }),
  ],
  'Running as Non-root': [
    withPodContext({ runAsNonRoot: undefined }),
    withContext({ runAsNonRoot: false }),
    withPodContext({ runAsNonRoot: false }),
  ],
  'Running as Non-root user': [withPodContext({ runAsUser: 0 }), withContext({ runAsUser: 0 })],
};

describe('the Pod Security Standard "restricted"', () => {
  it('admits a pod that keeps all of it', () => {
    expect(restrictedViolations(POD)).toEqual([]);
  });

  it.each(RESTRICTED_RULES)('sees what breaks the rule %s', (rule) => {
    expect(BREAKS[rule]).toBeTruthy();
    for (const pod of BREAKS[rule]!)
      expect([rule, restrictedViolations(pod)]).toEqual([rule, expect.arrayContaining([rule])]);
  });

  it.each(['initContainers', 'ephemeralContainers'] as const)('looks at %s too', (kind) => {
    const bare = { name: 'extra', image: 'image' };
    expect(restrictedViolations({ ...POD, [kind]: [bare] })).toEqual([
      'Capabilities',
      'Privilege Escalation',
    ]);
    const root = {
      ...CONTAINER,
      name: 'extra',
      securityContext: { ...CONTAINER.securityContext, runAsUser: 0 },
    };
    expect(restrictedViolations({ ...POD, [kind]: [root] })).toEqual(['Running as Non-root user']);
  });

  it('lets a container say what its pod leaves open, and the other way round', () => {
    const own = { runAsNonRoot: true, seccompProfile: { type: 'Localhost', localhostProfile: 'own' } };
    expect(restrictedViolations({ ...withContext(own), securityContext: undefined })).toEqual([]);
  });
});
