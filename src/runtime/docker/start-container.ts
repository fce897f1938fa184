import type Docker from 'dockerode';
import { Backoff, settledWithin } from '../../common/async/abort.js';
import type { Log } from '../../common/log.js';
import { RuntimeUnavailableError, WorkloadStartError } from '../runtime.errors.js';
import type { DockerEngine, NamedContainerConfig } from './docker-engine.js';
import { EngineStatusError } from './engine.errors.js';
import { INSTALLATION_LABEL } from './labels.js';
import { toCreateFailure, toStartFailure } from './start-failure.js';

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
  log: Log,
): Promise<string> {
  const made = await create(engine, container);
  if (made !== undefined) return startMade(engine, made, input);
  const found = await findOwn(engine, container);
  return found.State.Status === 'created' ? startFound(engine, found.Id, input, log) : found.Id;
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

/**
 * Starts a container that this call has made. Where it cannot be started nothing stays of it; an engine that goes away
 * before that is sure has left the start unknown.
 */
async function startMade(engine: DockerEngine, id: string, input: string | undefined): Promise<string> {
  const refusal = await startCreated(engine, id, input);
  if (!refusal || (await hasRun(engine, id))) return id;
  await engine.remove(id);
  throw new WorkloadStartError(toStartFailure(refusal), refusal);
}

/**
 * Starts a container that an earlier call has made. An engine that was killed while it started it calls it created for
 * ever, refuses to start it, and its script may run: so a refusal is no proof that nothing did, and whoever waits for the
 * container is told of it instead, to put it together with what the script has left.
 */
async function startFound(
  engine: DockerEngine,
  id: string,
  input: string | undefined,
  log: Log,
): Promise<string> {
  const refusal = await startCreated(engine, id, input);
  if (refusal) log.warn({}, `A container made by an earlier call was not started: ${refusal.message}`);
  return id;
}

/** Returns the engine's refusal, if it refuses. */
async function startCreated(
  engine: DockerEngine,
  id: string,
  input: string | undefined,
): Promise<EngineStatusError | undefined> {
  try {
    if (input === undefined) await engine.start(id);
    else await startWithInput(engine, id, input);
    return undefined;
  } catch (error) {
    if (error instanceof EngineStatusError) return error;
    throw error;
  }
}

/** An engine that is being stopped may refuse a start that it has carried out. */
async function hasRun(engine: DockerEngine, id: string): Promise<boolean> {
  const found = await engine.inspect(id);
  return found !== undefined && found.State.Status !== 'created';
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
