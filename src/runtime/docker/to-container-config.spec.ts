import { describe, expect, it } from '@jest/globals';
import { MiB } from '../../common/bytes.js';
import { workspacePaths } from '../../workspace/workspace-paths.js';
import type { WorkloadSpec } from '../runtime-provider.js';
import { toContainerConfig } from './to-container-config.js';

const SPEC: WorkloadSpec = {
  name: 'runner-1-2',
  jobId: '1',
  attempt: 2,
  image: 'py-exec:latest',
  workspace: workspacePaths('/data/workspaces', 'w'),
  limits: { memoryMb: 512, cpus: 1.5, pids: 99, tmpBytes: 5 * MiB },
  network: 'NONE',
  timeoutSeconds: 60,
  graceSeconds: 10,
  secrets: [],
};
const PLACEMENT = { dataDir: '/data', installationId: 'here' };
const USER = { uid: 10001, gid: 10002 };

const configOf = (
  spec: Partial<WorkloadSpec> = {},
  placement = {},
): ReturnType<typeof toContainerConfig>['config'] =>
  toContainerConfig({ ...SPEC, ...spec }, { ...PLACEMENT, ...placement }, USER).config;

describe('toContainerConfig', () => {
  it('asks for no more CPUs than the host has, which the engine would refuse', () => {
    const { config } = toContainerConfig(SPEC, { ...PLACEMENT, hostCpus: 1 }, USER);
    expect(config.HostConfig?.NanoCpus).toBe(1e9);
  });

  it('names and labels the container by its attempt', () => {
    expect(toContainerConfig(SPEC, PLACEMENT, USER).name).toBe('runner-1-2');
    expect(configOf().Labels).toEqual({
      'io.maps-python.managed-by': 'maps-backend',
      'io.maps-python.installation': 'here',
      'io.maps-python.job-id': '1',
      'io.maps-python.attempt': '2',
    });
  });

  it('tells a worker what to import and how long to wait, and names no job', () => {
    const config = configOf({ jobId: null, attempt: null, worker: { preload: ['json'], idleSeconds: 60 } });
    expect(config.Env).toEqual(['RUNNER_WORKER=1', 'RUNNER_WORKER_IDLE_SECONDS=60', 'RUNNER_PRELOAD=json']);
    expect(Object.keys(config.Labels ?? {})).toEqual([
      'io.maps-python.managed-by',
      'io.maps-python.installation',
    ]);
    // What the image names is not to be overwritten.
    expect(configOf({ worker: { idleSeconds: 60 } }).Env).not.toContainEqual(
      expect.stringContaining('PRELOAD'),
    );
  });

  it('mounts the four folders, two of them read-only, and nothing else', () => {
    expect(configOf().HostConfig?.Mounts).toEqual([
      { Type: 'bind', Source: '/data/workspaces/inputs/w/files', Target: '/input', ReadOnly: true },
      { Type: 'bind', Source: '/data/workspaces/inputs/w/job', Target: '/job', ReadOnly: true },
      { Type: 'bind', Source: '/data/workspaces/outputs/w', Target: '/output', ReadOnly: false },
      { Type: 'bind', Source: '/data/workspaces/logs/w', Target: '/spool', ReadOnly: false },
    ]);
    expect(configOf().HostConfig).not.toHaveProperty('Binds');
  });

  it('takes the sources of mounts from the host when the server is in a container', () => {
    const sources = configOf({}, { hostDataDir: '/srv/maps' }).HostConfig?.Mounts?.map(
      (mount) => mount.Source,
    );
    expect(sources?.[3]).toBe('/srv/maps/workspaces/logs/w');
  });

  it('limits memory without swap, CPUs, processes and the temporary folder', () => {
    expect(configOf().HostConfig).toMatchObject({
      Memory: 512 * MiB,
      MemorySwap: 512 * MiB,
      NanoCpus: 1_500_000_000,
      PidsLimit: 99,
      Tmpfs: { '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${5 * MiB}` },
    });
  });

  // CIS Docker Benchmark 5.4, 5.5, 5.10, 5.13, 5.16, 5.17, 5.21, 5.22, 5.26, 5.29, 5.31, 5.32
  it('gives a container no privilege that the benchmark of the field asks to take away', () => {
    const { HostConfig: host = {}, User } = configOf();
    expect(User).toBe('10001:10002');
    expect(host).toMatchObject({
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Privileged: false,
      ReadonlyRootfs: true,
      IpcMode: 'private',
      AutoRemove: false,
      RestartPolicy: { Name: 'no' },
    });
    for (const key of [
      'CapAdd',
      'Devices',
      'PidMode',
      'UTSMode',
      'UsernsMode',
      'OomKillDisable',
      'VolumesFrom',
    ]) {
      expect(host).not.toHaveProperty(key);
    }
  });

  it('has no network unless the job asks for the internet', () => {
    expect(configOf().HostConfig?.NetworkMode).toBe('none');
    expect(configOf({ network: 'INTERNET' }).HostConfig?.NetworkMode).toBe('bridge');
  });

  it('adds nothing to the environment and the command of the image', () => {
    expect(configOf()).toMatchObject({ Env: [], Image: 'py-exec:latest' });
    expect(configOf()).not.toHaveProperty('Cmd');
    expect(configOf()).not.toHaveProperty('Entrypoint');
  });

  it('opens standard input, once, for a job with secrets, and holds no value', () => {
    expect(configOf({ secrets: ['API_KEY'] })).toMatchObject({
      Env: ['RUNNER_SECRETS_FROM=stdin'],
      OpenStdin: true,
      StdinOnce: true,
    });
    expect(configOf()).not.toHaveProperty('OpenStdin');
  });

  it('leaves the runner time for its last words when the engine stops it', () => {
    expect(configOf()).toMatchObject({ StopSignal: 'SIGTERM', StopTimeout: 13 });
  });

  it('names the OCI runtime only when one is set', () => {
    expect(configOf().HostConfig).not.toHaveProperty('Runtime');
    expect(configOf({}, { ociRuntime: 'runsc' }).HostConfig?.Runtime).toBe('runsc');
  });
});
