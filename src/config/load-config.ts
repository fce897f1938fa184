import { readFileSync } from 'node:fs';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { errnoOf } from '../common/app-error.js';
import { AppConfig } from './app-config.js';
import { secretNameFaults } from './secret-names.js';
import { SecretValues } from './secret-values.js';
import { variableDocs } from './variable.decorator.js';

/** Thrown with every fault at once; names and rules only, never a value. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The configuration is not valid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Set by Kubernetes in every pod. */
const IN_CLUSTER = 'KUBERNETES_SERVICE_HOST';

type Variables = Record<string, string | undefined>;

/** Builds the configuration from environment variables; throws `ConfigError`. */
export function loadConfig(variables: Variables): AppConfig {
  const faults: string[] = [];
  const raw = pickKnown(variables, faults);
  const config = plainToInstance(AppConfig, raw, { exposeDefaultValues: true });
  for (const fault of validateSync(config, { forbidUnknownValues: true })) {
    faults.push(...Object.values(fault.constraints ?? {}).map((rule) => withName(fault.property, rule)));
  }
  if (faults.length === 0) faults.push(...crossFaults(config));
  if (faults.length === 0) config.secretValues = readSecretValues(config.JOB_SECRETS, variables, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

function withName(name: string, rule: string): string {
  return rule.startsWith(name) ? rule : `${name} ${rule}`;
}

/** The values that jobs may be handed; one that is not set is missed only by a job that asks for it. */
function readSecretValues(names: readonly string[], variables: Variables, faults: string[]): SecretValues {
  const found = names.map(
    (name) => [name, variables[name] || readSecretFile(name, variables, faults)] as const,
  );
  for (const [name, value] of found) {
    if (value?.includes('\0')) faults.push(`${name} must not hold a NUL character`);
  }
  return new SecretValues(found.flatMap(([name, value]) => (value ? [[name, value] as const] : [])));
}

/** An empty variable counts as unset: Compose files and manifests cannot leave one out. */
function pickKnown(variables: Variables, faults: string[]): Variables {
  const raw: Variables = {};
  const names = [...variableDocs(), { name: IN_CLUSTER, secret: false }];
  for (const { name, secret } of names) {
    const value = variables[name] || (secret ? readSecretFile(name, variables, faults) : undefined);
    if (value) raw[name] = value;
  }
  return raw;
}

function readSecretFile(name: string, variables: Variables, faults: string[]): string | undefined {
  const path = variables[`${name}_FILE`];
  if (!path) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    faults.push(`${name}_FILE cannot be read (${errnoOf(error) ?? 'unknown error'})`);
    return undefined;
  }
}

function crossFaults(config: AppConfig): string[] {
  const faults: string[] = [];
  if (!config.isLoopback && !config.API_TOKEN && config.AUTH_MODE !== 'none') {
    faults.push(
      'API_TOKEN is required because HOST is not loopback (or set AUTH_MODE=none to let everybody in)',
    );
  }
  if (config.DEFAULT_TIMEOUT_SECONDS > config.MAX_TIMEOUT_SECONDS) {
    faults.push('DEFAULT_TIMEOUT_SECONDS must not be larger than MAX_TIMEOUT_SECONDS');
  }
  if (config.DEFAULT_MEMORY_MB > config.MAX_MEMORY_MB) {
    faults.push('DEFAULT_MEMORY_MB must not be larger than MAX_MEMORY_MB');
  }
  if (config.RUNNER_ENVIRONMENTS.some((entry) => entry.startsWith('default='))) {
    faults.push('RUNNER_ENVIRONMENTS must not name default, whose image is RUNNER_IMAGE');
  }
  faults.push(...config.warmPoolFaults(new Set(config.environments.keys())));
  if (config.isProduction && config.EXECUTION_RUNTIME === 'process' && config.PROCESS_ISOLATION === 'none') {
    faults.push('PROCESS_ISOLATION=none is not allowed with NODE_ENV=production');
  }
  const serverVariables = [IN_CLUSTER, ...variableDocs().map(({ name }) => name)];
  faults.push(...secretNameFaults(config.JOB_SECRETS, serverVariables));
  return faults;
}
