import { readFileSync } from 'node:fs';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { errnoOf } from '../common/app-error.js';
import type { AppConfig, ConfiguredRuntime } from './app-config.js';
import { OWN_PARTS, configParts } from './app-config.js';
import type { ConfigPart } from './config-part.js';
import { AUTO } from './parts/execution-config.js';
import { secretNameFaults } from './secret-names.js';
import { SecretValues } from './secret-values.js';
import { variablesOf } from './variable.decorator.js';

/** Thrown with every fault at once; names and rules only, never a value. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The configuration is not valid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

type Variables = Record<string, string | undefined>;

/** What a part may have besides its variables. */
interface CheckedPart {
  /** Faults that no single variable shows; asked for when every variable by itself is valid. */
  faults?(config: AppConfig): string[];
}

/** Builds the configuration of a service with these runtimes from environment variables; throws `ConfigError`. */
export function loadConfig(
  variables: Variables,
  runtimes: readonly ConfiguredRuntime[] = [],
): Readonly<AppConfig> {
  const faults: string[] = [];
  const load = (part: ConfigPart): object => loadPart(part, variables, faults);
  const config = {
    ...mapValues(OWN_PARTS, load),
    runtimes: Object.fromEntries(runtimes.map(({ name, variables: part }) => [name, load(part)])),
  } as AppConfig;
  faults.push(...choiceFaults(config));
  if (faults.length === 0) faults.push(...partFaults(config), ...secretFaults(config, runtimes));
  if (faults.length === 0)
    config.secrets.values = readSecretValues(config.secrets.JOB_SECRETS, variables, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

function loadPart(part: ConfigPart, variables: Variables, faults: string[]): object {
  const loaded = plainToInstance(part, pickKnown(part, variables, faults), { exposeDefaultValues: true });
  // A part may have no variables: its class is then unknown to the validator.
  for (const fault of validateSync(loaded, { forbidUnknownValues: false })) {
    faults.push(...Object.values(fault.constraints ?? {}).map((rule) => withName(fault.property, rule)));
  }
  return loaded;
}

function mapValues(parts: Record<string, ConfigPart>, load: (part: ConfigPart) => object): object {
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, load(part)]));
}

function withName(name: string, rule: string): string {
  return rule.startsWith(name) ? rule : `${name} ${rule}`;
}

/** An empty variable counts as unset: Compose files and manifests cannot leave one out. */
function pickKnown(part: ConfigPart, variables: Variables, faults: string[]): Variables {
  const raw: Variables = {};
  for (const { name, secret } of variablesOf(part)) {
    const value = variables[name] || (secret ? readSecretFile(name, variables, faults) : undefined);
    if (value) raw[name] = value;
  }
  return raw;
}

function choiceFaults({ execution, runtimes }: AppConfig): string[] {
  const choices = [AUTO, ...Object.keys(runtimes)];
  if (choices.includes(execution.EXECUTION_RUNTIME)) return [];
  return [`EXECUTION_RUNTIME must be one of the following values: ${choices.join(', ')}`];
}

function partFaults(config: AppConfig): string[] {
  const { runtimes, ...own } = config;
  const parts: CheckedPart[] = [...Object.values(own), ...Object.values(runtimes)];
  return parts.flatMap((part) => part.faults?.(config) ?? []);
}

/** A job must not be given what the server keeps for itself. */
function secretFaults({ secrets }: AppConfig, runtimes: readonly ConfiguredRuntime[]): string[] {
  const names = configParts(runtimes).flatMap((part) => variablesOf(part).map(({ name }) => name));
  return secretNameFaults(secrets.JOB_SECRETS, names);
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
