import type { Duplex, Readable } from 'node:stream';
import type Docker from 'dockerode';
import { abortable } from '../../common/async/abort.js';
import type { DockerClient } from './docker-client.js';
import { EngineStatusError, toEngineError, toUnavailable } from './engine.errors.js';

/** Time for an answer that the engine has at hand. */
const READ_TIMEOUT_MS = 15_000;
/** Time for work: making and starting a container takes seconds on a machine under load. */
const WORK_TIMEOUT_MS = 120_000;
/** What an engine takes to kill, on top of the grace it was given. */
const KILL_TIMEOUT_MS = 30_000;

export interface NamedContainerConfig {
  name: string;
  config: Docker.ContainerCreateOptions;
}

type Call<T> = (options: { abortSignal: AbortSignal }) => Promise<T>;

/**
 * The few requests this runtime makes, each with a time limit and with errors as values of two classes:
 * `EngineStatusError` where the status matters to the caller, else `RuntimeUnavailableError`.
 */
export class DockerEngine {
  constructor(private readonly client: DockerClient) {}

  async info(signal?: AbortSignal): Promise<EngineInfo> {
    return ask((options) => this.docker.info(options) as Promise<EngineInfo>, READ_TIMEOUT_MS, signal).catch(
      rethrowUnavailable,
    );
  }

  async ping(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    await ask((options) => this.docker.ping(options), timeoutMs, signal).catch(rethrowUnavailable);
  }

  /** The id of the image that the reference stands for; undefined when it is not on this engine. */
  async imageId(reference: string, signal?: AbortSignal): Promise<string | undefined> {
    const image = this.docker.getImage(reference);
    const found = await ask(() => image.inspect(), READ_TIMEOUT_MS, signal)
      .catch(orUndefined(404))
      .catch(rethrowUnavailable);
    return found?.Id;
  }

  /** Makes a container and returns its id. @throws EngineStatusError */
  async create({ name, config }: NamedContainerConfig, signal?: AbortSignal): Promise<string> {
    // Without `_query` and `_body` the library puts the whole configuration into the address, too.
    const request = (options: object): object => ({ _query: { name }, _body: config, ...options });
    const container = await ask(
      (options) => this.docker.createContainer(request(options)),
      WORK_TIMEOUT_MS,
      signal,
    );
    return container.id;
  }

  /** Starts a container; one that runs already is a success. @throws EngineStatusError */
  async start(id: string, signal?: AbortSignal): Promise<void> {
    const container = this.docker.getContainer(id);
    await ask((options) => container.start(options), WORK_TIMEOUT_MS, signal).catch(orUndefined(304));
  }

  /** Opens the standard input of a container that is not started yet. @throws EngineStatusError */
  async attachInput(id: string, signal?: AbortSignal): Promise<Duplex> {
    const container = this.docker.getContainer(id);
    const query = { stream: true, stdin: true };
    const stream = await ask(
      (options) => container.attach({ ...query, hijack: true, ...options }),
      WORK_TIMEOUT_MS,
      signal,
    );
    return stream as Duplex;
  }

  /** The container's state, by id or name; undefined when there is none. */
  async inspect(id: string, signal?: AbortSignal): Promise<Docker.ContainerInspectInfo | undefined> {
    const container = this.docker.getContainer(id);
    return ask((options) => container.inspect(options), READ_TIMEOUT_MS, signal)
      .catch(orUndefined(404))
      .catch(rethrowUnavailable);
  }

  /** SIGTERM, and SIGKILL after `seconds`; returns when the container is dead. One that is not there is a success. */
  async stop(id: string, seconds: number, signal?: AbortSignal): Promise<void> {
    const container = this.docker.getContainer(id);
    const timeoutMs = seconds * 1000 + KILL_TIMEOUT_MS;
    await ask((options) => container.stop({ t: seconds, ...options }), timeoutMs, signal)
      .catch(orUndefined(304, 404))
      .catch(rethrowUnavailable);
  }

  /** Sends a signal; that the container does not run or is not there is no concern of the sender. */
  async kill(id: string, name: string): Promise<void> {
    const container = this.docker.getContainer(id);
    await ask((options) => container.kill({ signal: name, ...options }), READ_TIMEOUT_MS)
      .catch(orUndefined(404, 409))
      .catch(rethrowUnavailable);
  }

  /** Kills and removes; false while another removal of the same container is under way. */
  async remove(id: string, signal?: AbortSignal): Promise<boolean> {
    const container = this.docker.getContainer(id);
    const removal = ask(
      (options) => container.remove({ force: true, v: true, ...options }),
      WORK_TIMEOUT_MS,
      signal,
    );
    return removal
      .then(() => true)
      .catch((error: unknown) => {
        const { status } = error as Partial<EngineStatusError>;
        if (status === 404) return true;
        if (status === 409) return false;
        throw error;
      })
      .catch(rethrowUnavailable);
  }

  /** Every container with this label, in any state. */
  async list(label: string, signal?: AbortSignal): Promise<Docker.ContainerInfo[]> {
    const query = { all: true, filters: { label: [label] } };
    return ask(
      (options) => this.docker.listContainers({ ...query, ...options }),
      READ_TIMEOUT_MS,
      signal,
    ).catch(rethrowUnavailable);
  }

  /** Opens a stream of JSON lines; `sinceSeconds` repeats what the engine still remembers from then on. */
  async events(filters: object, sinceSeconds: number, signal: AbortSignal): Promise<Readable> {
    const query = { filters, since: sinceSeconds } as Docker.GetEventsOptions;
    return ask(() => this.docker.getEvents({ ...query, abortSignal: signal }), READ_TIMEOUT_MS, signal).then(
      (stream) => stream as Readable,
      rethrowUnavailable,
    );
  }

  close(): void {
    this.client.close();
  }

  private get docker(): DockerClient['docker'] {
    return this.client.docker;
  }
}

export interface EngineInfo {
  ID: string;
  ServerVersion: string;
  MemoryLimit: boolean;
  PidsLimit: boolean;
  CpuCfsQuota: boolean;
  /** CPUs of the engine's host. */
  NCPU: number;
  /** As `name=seccomp,profile=default`. */
  SecurityOptions?: string[];
}

/**
 * Bounded twice: the request is given up after `timeoutMs`, and so is the promise, which the library leaves open when a
 * connection breaks in the middle of an answer. `signal` ends the waiting only.
 */
async function ask<T>(call: Call<T>, timeoutMs: number, signal?: AbortSignal): Promise<T> {
  signal?.throwIfAborted();
  const limit = AbortSignal.timeout(timeoutMs);
  const answer = abortable(call({ abortSignal: limit }), limit).catch((error: unknown) => {
    throw toEngineError(error);
  });
  return abortable(answer, signal);
}

function orUndefined(...statuses: number[]): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof EngineStatusError && statuses.includes(error.status)) return undefined;
    throw error;
  };
}

/** An aborted wait keeps the signal's own reason. */
function rethrowUnavailable(error: unknown): never {
  throw error instanceof EngineStatusError ? toUnavailable(error) : error;
}
