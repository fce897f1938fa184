import type { ConfigPart } from './config-part.js';
import { DatabaseConfig } from './parts/database-config.js';
import { EnvironmentsConfig } from './parts/environments-config.js';
import { ExecutionConfig } from './parts/execution-config.js';
import { HttpConfig } from './parts/http-config.js';
import { LimitsConfig } from './parts/limits-config.js';
import { OutboxConfig } from './parts/outbox-config.js';
import { PoolConfig } from './parts/pool-config.js';
import { RetentionConfig } from './parts/retention-config.js';
import { SecretsConfig } from './parts/secrets-config.js';
import { ServiceConfig } from './parts/service-config.js';
import { StorageConfig } from './parts/storage-config.js';

/** The parts that every service has, in the order of the reference page. */
export const OWN_PARTS = {
  http: HttpConfig,
  storage: StorageConfig,
  database: DatabaseConfig,
  execution: ExecutionConfig,
  environments: EnvironmentsConfig,
  pool: PoolConfig,
  limits: LimitsConfig,
  secrets: SecretsConfig,
  retention: RetentionConfig,
  outbox: OutboxConfig,
  service: ServiceConfig,
} satisfies Record<string, ConfigPart>;

type OwnParts = { readonly [Name in keyof typeof OWN_PARTS]: InstanceType<(typeof OWN_PARTS)[Name]> };

/**
 * Everything that can be set from outside: one class for each part of the service, one property for each environment
 * variable. The classes are the single source of types, defaults and rules; `docs/configuration.md` is generated from
 * them. Who needs a part has it injected by its class.
 */
export interface AppConfig extends OwnParts {
  /** The part of each runtime, by the runtime's name. */
  readonly runtimes: Readonly<Record<string, object>>;
}

/** Injection token of the whole, for the few that need several of its parts: their type names which. */
export const APP_CONFIG = Symbol('APP_CONFIG');

/** A runtime as its configuration needs to know it. */
export interface ConfiguredRuntime {
  /** As EXECUTION_RUNTIME names it. */
  readonly name: string;
  readonly variables: ConfigPart;
}

/** Every part, in the order of the reference page. */
export function configParts(runtimes: readonly ConfiguredRuntime[]): readonly ConfigPart[] {
  return [...Object.values(OWN_PARTS), ...runtimes.map(({ variables }) => variables)];
}
