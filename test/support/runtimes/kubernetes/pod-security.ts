import type { V1Container, V1EphemeralContainer, V1PodSpec, V1Volume } from '@kubernetes/client-node';

type Container = V1Container | V1EphemeralContainer;
type Rule = (pod: V1PodSpec, containers: readonly Container[]) => unknown[];

/**
 * Each rule of the Pod Security Standard "restricted" (which holds those of "baseline") by its name in the standard. A
 * rule returns what breaks it; nothing else may.
 */
const RULES: Readonly<Record<string, Rule>> = {
  HostProcess: (pod, containers) =>
    [pod, ...containers].filter((each) => each.securityContext?.windowsOptions?.hostProcess),
  'Host Namespaces': (pod) => [pod.hostNetwork, pod.hostPID, pod.hostIPC].filter(Boolean),
  'Privileged Containers': (_, containers) => containers.filter((each) => each.securityContext?.privileged),
  Capabilities: (_, containers) =>
    containers.filter(({ securityContext }) => {
      const { add = [], drop = [] } = securityContext?.capabilities ?? {};
      return !drop.includes('ALL') || add.some((name) => name !== 'NET_BIND_SERVICE');
    }),
  'HostPath Volumes': (pod) => volumesOf(pod).filter((volume) => volume.hostPath),
  'Host Ports': (_, containers) =>
    containers.flatMap(({ ports = [] }) => ports).filter(({ hostPort }) => hostPort),
  'Host Probes / Lifecycle Hooks': (_, containers) =>
    containers
      .flatMap((each) => [
        each.livenessProbe,
        each.readinessProbe,
        each.startupProbe,
        each.lifecycle?.postStart,
        each.lifecycle?.preStop,
      ])
      .filter((action) => action?.httpGet?.host || action?.tcpSocket?.host),
  AppArmor: (pod, containers) =>
    [pod, ...containers]
      .map((each) => each.securityContext?.appArmorProfile?.type)
      .filter((type) => type !== undefined && !['RuntimeDefault', 'Localhost'].includes(type)),
  SELinux: (pod, containers) =>
    [pod, ...containers]
      .map((each) => each.securityContext?.seLinuxOptions)
      .filter(
        (options) => options && (options.user || options.role || !SELINUX_TYPES.includes(options.type ?? '')),
      ),
  '/proc Mount Type': (_, containers) =>
    containers.filter(({ securityContext }) => (securityContext?.procMount ?? 'Default') !== 'Default'),
  Seccomp: (pod, containers) => {
    const inherited = pod.securityContext?.seccompProfile?.type;
    const types = containers.map((each) => each.securityContext?.seccompProfile?.type ?? inherited);
    return [...types, inherited ?? 'RuntimeDefault'].filter(
      (type) => type === undefined || !['RuntimeDefault', 'Localhost'].includes(type),
    );
  },
  Sysctls: (pod) =>
    (pod.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !SYSCTLS.includes(name)),
  'Volume Types': (pod) =>
    volumesOf(pod).filter((volume) => {
      const types = Object.entries(volume).filter(([key, value]) => key !== 'name' && value);
      return types.length !== 1 || !VOLUME_TYPES.includes(types[0]![0]);
    }),
  'Privilege Escalation': (_, containers) =>
    containers.filter(({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false),
  'Running as Non-root': (pod, containers) => {
    const inherited = pod.securityContext?.runAsNonRoot;
    const values = containers.map((each) => each.securityContext?.runAsNonRoot ?? inherited);
    return [...values, inherited ?? true].filter((value) => value !== true);
  },
  'Running as Non-root user': (pod, containers) =>
    [pod, ...containers].filter((each) => each.securityContext?.runAsUser === 0),
};

const SELINUX_TYPES = [
  '',
  'container_t',
  'container_init_t',
  'container_kvm_t',
  'container_engine_t',
] as readonly string[];

const SYSCTLS: readonly string[] = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_syncookies',
];

const VOLUME_TYPES: readonly string[] = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

export const RESTRICTED_RULES: readonly string[] = Object.keys(RULES);

/** Names of the rules of "restricted" that a pod breaks, init and ephemeral containers included; empty: admitted. */
export function restrictedViolations(pod: V1PodSpec): string[] {
  const containers = [...pod.containers, ...(pod.initContainers ?? []), ...(pod.ephemeralContainers ?? [])];
  return RESTRICTED_RULES.filter((name) => RULES[name]!(pod, containers).length > 0);
}

function volumesOf(pod: V1PodSpec): V1Volume[] {
  return pod.volumes ?? [];
}
