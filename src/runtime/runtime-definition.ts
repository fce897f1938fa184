import type { Log } from '../common/log.js';
import type { ConfigPart } from '../config/config-part.js';
import type { StorageConfig } from '../config/parts/storage-config.js';
import type { WorkspaceMaker } from '../workspace/workspace-maker.js';
import type { RuntimeProvider } from './runtime-provider.js';
import type { SecretLookup } from './secret-line.js';

/**
 * A runtime as the service knows it before it is made: all that one folder has to tell, so that a line in `runtimes.ts`
 * is all that a new runtime needs elsewhere. A definition is imported by every server; its client library is imported
 * by `detect` and `create` only, when it may be used.
 */
export interface RuntimeDefinition<Variables extends object = object> {
  /** As EXECUTION_RUNTIME and its provider name it. */
  readonly name: string;

  /** Its own part of the configuration. */
  readonly variables: ConfigPart & (new () => Variables);

  /**
   * Whether it runs on an engine that may answer a little later than this server starts. Where that does not answer,
   * `create` is called again for a while; elsewhere its first failure ends the start.
   */
  readonly awaitsEngine: boolean;

  /** Whether `auto` takes it. Called in the order of the list until one fits. Never throws. */
  detect(variables: Variables, host: RuntimeHost): Promise<Detection>;

  /**
   * Makes the provider. What was opened on the way is closed when this throws.
   *
   * @throws RuntimeUnavailableError when the engine does not answer
   * @throws Error with a sentence that says what mends it
   */
  create(variables: Variables, host: RuntimeHost): Promise<RuntimeProvider>;
}

export interface Detection {
  fits: boolean;
  /** A sentence: why it is taken or why not; printed at start and shown by `service`. Undefined: not worth a word. */
  reason?: string;
}

/** What a server tells its runtime about itself. */
export interface RuntimeHost {
  /** Marks this installation's workloads; others' are never touched. */
  readonly installationId: string;
  readonly storage: Pick<StorageConfig, 'dataDir' | 'workspaceDir'>;
  readonly workspaces: WorkspaceMaker;
  /** Image of the environment `default`. */
  readonly defaultImage: string;
  /** Values of the secrets that jobs may name. */
  readonly secrets: SecretLookup;
  readonly isProduction: boolean;
  readonly log: Log;
}
