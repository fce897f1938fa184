import type Docker from 'dockerode';
import { Backoff, settledWithin } from '../../common/abort.js';
import { messageOf } from '../../common/app-error.js';
import type { StartFailure } from '../runtime-provider.js';
import { RuntimeUnavailableError, WorkloadStartError } from '../runtime.errors.js';
import type { DockerEngine, NamedContainerConfig } from './docker-engine.js';
import type { RuntimeLogger } from './docker-options.js';
import { EngineStatusError } from './engine.errors.js';
import { INSTALLATION_LABEL } from './labels.js';
import { publicMessage, toCreateFailure, toStartFailure } from './start-failure.js';

/** How long the engine may take to show a container whose name it has taken. */
const RESERVED_TIMEOUT_MS = 10_000;

/** How long the engine may take to pass on what was written to a container's input. */
const INPUT_TIMEOUT_MS = 10_000;

/**
 * Makes and starts a container, or finds the one of this name, and returns its id. Two requests where nothing is in the
 * way, three where it is to read `input`. A container that ran is never started again: the engine would run it a second
 * time.
 */
export async function startContainer(
  engine: DockerEngine,
  container: NamedContainerConfig,
  input: string | undefined,
  logger: RuntimeLogger,
): Promise<string> {
  const made = await create(engine, container);
  if (made !== undefined) return startCreated(engine, made, input, logger);
  const found = await findOwn(engine, container);
  return found.State.Status === 'created' ? startCreated(engine, found.Id, input, logger) : found.Id;
}

/** Undefined when there is a container of this name already. */
async function create(engine: DockerEngine, container: NamedContainerConfig): Promise<string | undefined> {
  try {
    return await engine.create(container);
  } catch (error) {
    if (!(error instanceof EngineStatusError)) throw error;
    if (error.status === 409) return undefined;
    throw new WorkloadStartError(toCreateFailure(error, container.config.Image ?? ''), error);
  }
}

async function findOwn(
  engine: DockerEngine,
  { name, config }: NamedContainerConfig,
): Promise<Docker.ContainerInspectInfo> {
  const found = await inspectReserved(engine, name);
  if (!found)
    throw new RuntimeUnavailableError(`The name ${name} is taken, and the engine shows no container of it.`);
  if (found.Config.Labels[INSTALLATION_LABEL] === config.Labels?.[INSTALLATION_LABEL]) return found;
  throw new WorkloadStartError({
    kind: 'refused',
    message: `A container named ${name} is there already, and it is not of this installation.`,
    retryable: false,
  });
}

/** The engine takes a name before it shows the container, while another call is still making it. */
async function inspectReserved(
  engine: DockerEngine,
  name: string,
): Promise<Docker.ContainerInspectInfo | undefined> {
  const backoff = new Backoff(20, 500);
  const deadline = Date.now() + RESERVED_TIMEOUT_MS;
  for (;;) {
    const found = await engine.inspect(name);
    if (found || Date.now() > deadline) return found;
    await backoff.wait();
  }
}

async function startCreated(
  engine: DockerEngine,
  id: string,
  input: string | undefined,
  logger: RuntimeLogger,
): Promise<string> {
  try {
    if (input === undefined) await engine.start(id);
    else await startWithInput(engine, id, input);
    return id;
  } catch (error) {
    if (!(error instanceof EngineStatusError)) throw error;
    const failure: StartFailure = toStartFailure(error);
    await clear(engine, id, logger);
    throw new WorkloadStartError(failure, error);
  }
}

/**
 * The input is there before the container is, so that nothing waits. Should the connection break before all is written,
 * the engine closes the container's input, and the runner ends before any script runs and says so.
 */
async function startWithInput(engine: DockerEngine, id: string, input: string): Promise<void> {
  const stdin = await engine.attachInput(id);
  const closed = new Promise<void>((resolve) => stdin.once('close', resolve));
  stdin.on('error', () => undefined).resume();
  try {
    await engine.start(id);
    stdin.end(input);
    await settledWithin(closed, INPUT_TIMEOUT_MS);
  } finally {
    stdin.destroy();
  }
}

/** Nothing stays of a container that could not start; should even that fail, the sweep of orphans finds it. */
async function clear(engine: DockerEngine, id: string, logger: RuntimeLogger): Promise<void> {
  try {
    await engine.remove(id);
  } catch (error) {
    logger.warn(
      `A container that could not be started could not be removed: ${publicMessage(messageOf(error))}`,
    );
  }
}
