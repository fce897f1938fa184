import type { ContainerInspectInfo } from 'dockerode';
import { Backoff, abortable, sleep } from '../../common/async/abort.js';
import { KeyedSingleFlight } from '../../common/async/single-flight.js';
import { runnerUser } from '../../workspace/runner-user.js';
import type { HandleBase } from '../handle.js';
import { decodeHandle, encodeHandle } from '../handle.js';
import type {
  RuntimeCapabilities,
  RuntimeHealth,
  RuntimeProvider,
  WorkloadExit,
  WorkloadSpec,
  WorkloadSummary,
} from '../runtime-provider.js';
import { LOCAL_START_TIMEOUT_SECONDS } from '../runtime-provider.js';
import { secretLine } from '../secret-line.js';
import { RuntimeUnavailableError } from '../runtime.errors.js';
import { ContainerEvents } from './container-events.js';
import { toAbsence, toExit, toSummaryState } from './container-exit.js';
import { createDockerClient } from './docker-client.js';
import type { EngineInfo } from './docker-engine.js';
import { DockerEngine } from './docker-engine.js';
import type { DockerOptions } from './docker-options.js';
import { installationFilter, readLabels } from './labels.js';
import { startContainer } from './start-container.js';
import { STOP_MARGIN_SECONDS, toContainerConfig } from './to-container-config.js';

const HEALTH_TIMEOUT_MS = 2000;
/** How long an end can go unnoticed when the events have gone silent; one small request each time. */
const RECONCILE_MS = 15_000;
const REMOVAL_TIMEOUT_MS = 60_000;
const SIGTERM_REPEATS_MS = [100, 400, 1500];

export interface DockerHandle extends HandleBase {
  runtime: 'docker';
  /** The container's own id: a name can be taken again, an id cannot. */
  id: string;
  name: string;
}

/** Connects to the engine. @throws RuntimeUnavailableError when it does not answer */
export async function createDockerRuntime(
  options: DockerOptions,
  signal?: AbortSignal,
): Promise<RuntimeProvider> {
  const engine = new DockerEngine(createDockerClient(options.dockerHost));
  try {
    const info = await engine.info(signal);
    if (mapsUsers(info)) {
      options.log.warn(
        {},
        'The engine maps user ids (rootless or userns-remap): jobs may be unable to write to their folders.',
      );
    }
    return new DockerRuntime(engine, info, options);
  } catch (error) {
    engine.close();
    throw error;
  }
}

class DockerRuntime implements RuntimeProvider {
  readonly name = 'docker';
  readonly startTimeoutSeconds = LOCAL_START_TIMEOUT_SECONDS;
  readonly scope: string;
  readonly capabilities: RuntimeCapabilities;
  private readonly label: string;
  private readonly events: ContainerEvents;
  private readonly starting = new KeyedSingleFlight<string>();

  constructor(
    private readonly engine: DockerEngine,
    private readonly info: EngineInfo,
    private readonly options: DockerOptions,
  ) {
    this.scope = info.ID;
    this.capabilities = toCapabilities(info);
    this.label = installationFilter(options.installationId);
    this.events = new ContainerEvents(engine, this.label, options.reconcileMs ?? RECONCILE_MS, options.log);
  }

  /** An engine that is elsewhere, or away, says nothing about its containers. */
  isGone(): boolean {
    return false;
  }

  async checkHealth(signal?: AbortSignal): Promise<RuntimeHealth> {
    try {
      await this.engine.ping(HEALTH_TIMEOUT_MS, signal);
      return { healthy: true, message: `Docker engine ${this.info.ServerVersion} answers.` };
    } catch {
      signal?.throwIfAborted();
      return {
        healthy: false,
        message: 'The Docker engine does not answer; see that it runs and that DOCKER_HOST leads to it.',
      };
    }
  }

  /** Calls for one name share one start, so that none of them meets a container that the other has just run. */
  async start(spec: WorkloadSpec, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    const start = this.starting.run(spec.name, () => this.startOnce(spec));
    return abortable(start, signal);
  }

  async wait(handle: string, signal?: AbortSignal): Promise<WorkloadExit> {
    const { id } = this.decode(handle);
    const watch = this.events.watch(id);
    try {
      let wasSeen = false;
      for (;;) {
        await watch.changed(signal);
        const container = await this.lookAt(id, signal);
        if (container === 'unknown') continue;
        if (!container) return toAbsence(wasSeen);
        wasSeen = true;
        const exit = toExit(container.State);
        if (exit) return exit;
      }
    } finally {
      watch.stop();
    }
  }

  async stop(handle: string, graceSeconds: number, signal?: AbortSignal): Promise<void> {
    const { id } = this.decode(handle);
    const stopped = new AbortController();
    void this.repeatSigterm(id, stopped.signal);
    try {
      await this.engine.stop(id, Math.ceil(graceSeconds) + STOP_MARGIN_SECONDS, signal);
    } finally {
      stopped.abort();
    }
  }

  async remove(handle: string, signal?: AbortSignal): Promise<void> {
    const { id } = this.decode(handle);
    const backoff = new Backoff(20, 1000);
    const deadline = Date.now() + REMOVAL_TIMEOUT_MS;
    while (!(await this.engine.remove(id, signal))) {
      if (Date.now() > deadline)
        throw new RuntimeUnavailableError('A container is being removed and does not go.');
      await backoff.wait(signal);
    }
  }

  async list(signal?: AbortSignal): Promise<WorkloadSummary[]> {
    const containers = await this.engine.list(this.label, signal);
    return containers.map((container) => {
      const name = (container.Names[0] ?? '').replace(/^\//, '');
      return {
        handle: this.encode(container.Id, name),
        name,
        ...readLabels(container.Labels),
        state: toSummaryState(container.State),
        createdAtMs: container.Created * 1000,
      };
    });
  }

  imageVersion(image: string, signal?: AbortSignal): Promise<string | undefined> {
    return this.engine.imageId(image, signal);
  }

  async close(): Promise<void> {
    this.events.close(new RuntimeUnavailableError('The docker runtime was closed.'));
    this.engine.close();
  }

  private async startOnce(spec: WorkloadSpec): Promise<string> {
    const placement = { ...this.options, hostCpus: this.info.NCPU };
    const config = toContainerConfig(spec, placement, runnerUser());
    const input = secretLine(spec.secrets, this.options.secrets ?? new Map());
    return this.encode(await startContainer(this.engine, config, input, this.options.log), spec.name);
  }

  /** As PID 1 the runner hears no SIGTERM in its first milliseconds; one that heard the first ignores the others. */
  private async repeatSigterm(id: string, stopped: AbortSignal): Promise<void> {
    for (const delayMs of SIGTERM_REPEATS_MS) {
      await sleep(delayMs, stopped);
      if (stopped.aborted) return;
      await this.engine.kill(id, 'SIGTERM').catch(() => undefined);
    }
  }

  /** An engine that is away says nothing about the container: the next change asks again. */
  private async lookAt(
    id: string,
    signal?: AbortSignal,
  ): Promise<ContainerInspectInfo | 'unknown' | undefined> {
    try {
      return await this.engine.inspect(id, signal);
    } catch (error) {
      if (error instanceof RuntimeUnavailableError) return 'unknown';
      throw error;
    }
  }

  private encode(id: string, name: string): string {
    return encodeHandle<DockerHandle>({ v: 1, runtime: 'docker', scope: this.scope, id, name });
  }

  /** A handle from elsewhere is a fault of the caller, not a workload that is lost. */
  private decode(handle: string): DockerHandle {
    const decoded = decodeHandle<DockerHandle>(handle, 'docker');
    if (decoded?.scope !== this.scope) throw new Error('The handle is not of this Docker engine.');
    return decoded;
  }
}

function mapsUsers({ SecurityOptions = [] }: EngineInfo): boolean {
  return SecurityOptions.some((option) => /^name=(rootless|userns)\b/.test(option));
}

/** An engine without a cgroup controller (rootless, mostly) warns and leaves the limit out. */
function toCapabilities(info: EngineInfo): RuntimeCapabilities {
  return {
    networkIsolation: true,
    filesystemIsolation: true,
    processIsolation: true,
    memoryLimit: info.MemoryLimit ? 'cgroup' : 'none',
    pidsLimit: info.PidsLimit ? 'cgroup' : 'none',
    cpuLimit: info.CpuCfsQuota,
    tmpLimit: true,
    outlivesServer: true,
    images: true,
  };
}
