import type Docker from 'dockerode';
import { MiB } from '../../common/bytes.js';
import { RUNNER_FOLDERS } from '../../runner/files.js';
import { SECRETS_FROM_STDIN } from '../../runner/secrets.js';
import { workerVariables } from '../../runner/variables.js';
import type { RunnerUser } from '../../workspace/runner-user.js';
import type { WorkloadLimits, WorkloadSpec } from '../runtime-provider.js';
import type { DockerOptions } from './docker-options.js';
import type { NamedContainerConfig } from './docker-engine.js';
import { toHostPath } from './host-path.js';
import { toLabels } from './labels.js';

/** Time for the runner to write its last frame after the script was killed; the engine's own kill comes later. */
export const STOP_MARGIN_SECONDS = 3;

type Placement = Pick<DockerOptions, 'dataDir' | 'hostDataDir' | 'ociRuntime' | 'installationId'> & {
  /** CPUs of the engine's host; unset: unknown. */
  hostCpus?: number;
};

/** The container of one attempt. Pure: the same spec gives the same container. */
export function toContainerConfig(
  spec: WorkloadSpec,
  placement: Placement,
  user: RunnerUser,
): NamedContainerConfig {
  return {
    name: spec.name,
    config: {
      Image: spec.image,
      // Beside this only what the image itself declares: the script's variables are in its order.
      Env: toEnv(workerVariables(spec.worker)),
      ...(spec.secrets.length > 0 ? TAKES_SECRETS : {}),
      Labels: toLabels(spec, placement.installationId),
      User: `${user.uid}:${user.gid}`,
      StopSignal: 'SIGTERM',
      StopTimeout: spec.graceSeconds + STOP_MARGIN_SECONDS,
      Healthcheck: { Test: ['NONE'] },
      HostConfig: {
        ...(placement.ociRuntime ? { Runtime: placement.ociRuntime } : {}),
        ...toLimits(spec.limits, placement.hostCpus),
        ...LOCKED_DOWN,
        NetworkMode: spec.network === 'INTERNET' ? 'bridge' : 'none',
        Mounts: toMounts(spec, placement),
        Tmpfs: { '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${spec.limits.tmpBytes}` },
      },
    },
  };
}

function toEnv(variables: Readonly<Record<string, string>>): string[] {
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}

/** Values come by standard input, of which the engine keeps and shows nothing; it ends with who wrote to it. */
const TAKES_SECRETS: Partial<Docker.ContainerCreateOptions> = {
  Env: toEnv(SECRETS_FROM_STDIN),
  AttachStdin: true,
  OpenStdin: true,
  StdinOnce: true,
};

/** The same for every container, whatever its job asks for. */
const LOCKED_DOWN: Docker.HostConfig = {
  CapDrop: ['ALL'],
  SecurityOpt: ['no-new-privileges'],
  Privileged: false,
  ReadonlyRootfs: true,
  IpcMode: 'private',
  // The runner is PID 1 itself: an init before it would take its place.
  Init: false,
  // The container is the record of how its script ended until it is removed by name.
  AutoRemove: false,
  RestartPolicy: { Name: 'no' },
  // The runner's own copy for `docker logs` ends at 1 MiB; a script that finds its way past it fills this and no disk.
  LogConfig: { Type: 'json-file', Config: { 'max-size': '4m', 'max-file': '1' } },
};

const OPEN_FILES = { soft: 1024, hard: 4096 };

function toLimits(limits: WorkloadLimits, hostCpus = Infinity): Docker.HostConfig {
  const memoryBytes = limits.memoryMb * MiB;
  return {
    Memory: memoryBytes,
    MemorySwap: memoryBytes, // both together: equal means no swap
    // More than the host has is no limit, and the engine refuses it.
    NanoCpus: Math.round(Math.min(limits.cpus, hostCpus) * 1e9),
    PidsLimit: limits.pids,
    // Charged to the memory limit; the engine's 64 MiB would fail multiprocessing with large arrays.
    ShmSize: Math.floor(memoryBytes / 2),
    Ulimits: [
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'nofile', Soft: OPEN_FILES.soft, Hard: OPEN_FILES.hard },
    ],
  };
}

/** Mounts and not Binds: a folder that is missing is refused instead of made, as root's. */
function toMounts(spec: WorkloadSpec, placement: Placement): Docker.MountConfig {
  const mount = (path: string, target: string, readOnly: boolean): Docker.MountSettings => ({
    Type: 'bind',
    Source: toHostPath(path, placement.dataDir, placement.hostDataDir),
    Target: target,
    ReadOnly: readOnly,
  });
  const { inputDir, jobDir, outputDir, spoolDir } = spec.workspace;
  return [
    mount(inputDir, RUNNER_FOLDERS.input, true),
    mount(jobDir, RUNNER_FOLDERS.job, true),
    mount(outputDir, RUNNER_FOLDERS.output, false),
    mount(spoolDir, RUNNER_FOLDERS.spool, false),
  ];
}
