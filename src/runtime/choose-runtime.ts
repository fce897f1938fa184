import { AppError, messageOf } from '../common/app-error.js';
import { Backoff } from '../common/async/abort.js';
import type { Log } from '../common/log.js';
import type { AppConfig } from '../config/app-config.js';
import type { RuntimeDefinition, RuntimeHost } from './runtime-definition.js';
import type { RuntimeProvider } from './runtime-provider.js';
import { RuntimeUnavailableError } from './runtime.errors.js';

export interface RuntimeChoice {
  runtime: RuntimeProvider;
  /** Why this one: a sentence, printed at start and shown by `service`. */
  reason: string;
}

/** How long a start waits for an engine. */
const ENGINE_PATIENCE_MS = 30_000;

/**
 * Makes the runtime that the configuration asks for; with `auto`, the first of the list that fits. Throws with a sentence
 * that says what mends it.
 */
export async function chooseRuntime(
  runtimes: readonly RuntimeDefinition[],
  { execution, runtimes: variables }: Pick<AppConfig, 'execution' | 'runtimes'>,
  host: RuntimeHost,
): Promise<RuntimeChoice> {
  const make = async (definition: RuntimeDefinition, reason: string): Promise<RuntimeChoice> => ({
    runtime: await create(definition, variables[definition.name]!, host),
    reason,
  });
  const asked = runtimes.find(({ name }) => name === execution.EXECUTION_RUNTIME);
  if (asked) return make(asked, `EXECUTION_RUNTIME=${asked.name}`);
  const reasons: string[] = [];
  for (const definition of runtimes) {
    const { fits, reason } = await definition.detect(variables[definition.name]!, host);
    if (reason !== undefined) reasons.push(reason);
    if (fits) return make(definition, reasons.join(' '));
  }
  throw new AppError('RUNTIME_UNAVAILABLE', reasons.join(' '));
}

/** An engine often starts beside this server: it is waited for a while before the start is given up. */
async function create(
  definition: RuntimeDefinition,
  variables: object,
  host: RuntimeHost,
): Promise<RuntimeProvider> {
  const ownHost = { ...host, log: withRuntime(host.log, definition.name) };
  const giveUp = AbortSignal.timeout(ENGINE_PATIENCE_MS);
  const backoff = new Backoff(500, 5_000);
  for (;;) {
    try {
      return await definition.create(variables, ownHost);
    } catch (error) {
      const mayAnswerLater = definition.awaitsEngine && error instanceof RuntimeUnavailableError;
      if (!mayAnswerLater || giveUp.aborted) throw error;
      host.log.warn({ err: messageOf(error) }, 'the engine does not answer yet; waiting for it');
      await backoff.wait(giveUp);
    }
  }
}

/** What a runtime logs says which one it is. */
function withRuntime(log: Log, runtime: string): Log {
  return {
    debug: (fields, message) => log.debug({ runtime, ...fields }, message),
    info: (fields, message) => log.info({ runtime, ...fields }, message),
    warn: (fields, message) => log.warn({ runtime, ...fields }, message),
    error: (fields, message) => log.error({ runtime, ...fields }, message),
  };
}
