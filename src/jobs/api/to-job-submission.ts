import { BadInputError, PayloadTooLargeError } from '../../common/app-error.js';
import type { LimitsConfig } from '../../config/parts/limits-config.js';
import { DEFAULT_CPUS } from '../../config/parts/limits-config.js';
import type { SecretsConfig } from '../../config/parts/secrets-config.js';
import { clashingInputPaths, inputPathFault } from '../../workspace/input-path.js';
import type { InputFile } from '../../workspace/workspace-content.js';
import {
  MAX_ENV_BYTES,
  MAX_IDEMPOTENCY_KEY_CHARACTERS,
  MAX_INPUT_FILES,
  MAX_INPUT_FILES_BYTES,
  MAX_LABELS,
  MAX_LABEL_BYTES,
  MAX_NAME_CHARACTERS,
  MAX_PRIORITY,
  MAX_REQUEST_BYTES,
  MAX_RETRIES,
  MAX_SCRIPT_BYTES,
  MAX_SECRETS,
} from '../record/job-limits.js';
import type { JobSubmission } from '../record/job-submission.js';
import type { EnvVarInput, InputFileInput, LabelInput, RunScriptInput } from './models/run-script.input.js';

/**
 * Checks a request and fills in the defaults. Throws `BAD_USER_INPUT` or `PAYLOAD_TOO_LARGE` naming the field.
 * Pure.
 */
export function toJobSubmission(
  input: RunScriptInput,
  limits: LimitsConfig,
  secrets: SecretsConfig,
): JobSubmission {
  return {
    script: checkScript(input.script),
    requestText: toRequestText(input.request),
    files: toFiles(input.files ?? []),
    environment: input.environment ?? 'default',
    name: checkName(input.name ?? null),
    labels: checkLabels(input.labels ?? []),
    priority: inRange('priority', input.priority ?? 0, -MAX_PRIORITY, MAX_PRIORITY),
    timeoutSeconds: inRange(
      'timeoutSeconds',
      input.timeoutSeconds ?? limits.DEFAULT_TIMEOUT_SECONDS,
      1,
      limits.MAX_TIMEOUT_SECONDS,
    ),
    memoryMb: inRange('memoryMb', input.memoryMb ?? limits.DEFAULT_MEMORY_MB, 16, limits.MAX_MEMORY_MB),
    cpus: inRange('cpus', input.cpus ?? DEFAULT_CPUS, 0.01, limits.MAX_CPUS),
    network: checkNetwork(input.network ?? 'NONE', limits),
    env: toEnv(input.env ?? []),
    secrets: checkSecrets(input.secrets ?? [], input.env ?? [], secrets),
    retries: inRange('retries', input.retries ?? 0, 0, MAX_RETRIES),
    idempotencyKey: checkKey(input.idempotencyKey ?? null),
  };
}

function checkScript(script: string): string {
  tooLarge('script', Buffer.byteLength(script), MAX_SCRIPT_BYTES);
  if (script.trim() === '') throw new BadInputError('The script is empty.', 'input.script');
  if (script.includes('\0'))
    throw new BadInputError('Python source cannot hold a NUL character.', 'input.script');
  return wellFormed('script', script);
}

/** A lone surrogate cannot be written as UTF-8: it would be changed silently. */
function wellFormed(field: string, text: string, root = 'input'): string {
  if (/\p{Surrogate}/u.test(text))
    throw new BadInputError(`${field} is not well-formed Unicode.`, `${root}.${field}`);
  return text;
}

function toRequestText(request: unknown): string {
  const text = toJson(request ?? null);
  tooLarge('request', Buffer.byteLength(text), MAX_REQUEST_BYTES);
  return text;
}

function toJson(request: unknown): string {
  try {
    return JSON.stringify(request);
  } catch (error) {
    // The parser is iterative, the serialiser is not.
    if (error instanceof RangeError)
      throw new BadInputError('The request is nested too deeply.', 'input.request');
    throw error;
  }
}

function toFiles(files: InputFileInput[]): InputFile[] {
  if (files.length > MAX_INPUT_FILES)
    throw new BadInputError(`At most ${MAX_INPUT_FILES} files.`, 'input.files');
  const decoded = files.map(toFile);
  tooLarge(
    'files',
    decoded.reduce((sum, file) => sum + file.content.length, 0),
    MAX_INPUT_FILES_BYTES,
  );
  const [clash] = clashingInputPaths(decoded.map((file) => file.path));
  if (clash !== undefined)
    throw new BadInputError(
      `The path ${JSON.stringify(clash)} is used twice, or as a folder too.`,
      'input.files',
    );
  return decoded;
}

function toFile(file: InputFileInput, at: number): InputFile {
  const field = `input.files.${at}`;
  const fault = inputPathFault(file.path);
  if (fault) throw new BadInputError(`A file's path ${fault}.`, `${field}.path`);
  wellFormed(`files.${at}.path`, file.path);
  if ((file.text ?? null) === null)
    return { path: file.path, content: decodeBase64(file.base64 ?? null, field) };
  if ((file.base64 ?? null) !== null) throw new BadInputError('Give text or base64, not both.', field);
  return { path: file.path, content: Buffer.from(wellFormed(`files.${at}.text`, file.text ?? '')) };
}

function decodeBase64(text: string | null, field: string): Buffer {
  if (text === null) throw new BadInputError('Give text or base64.', field);
  const compact = text.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact) || compact.length % 4 !== 0) {
    throw new BadInputError('This is not Base64.', `${field}.base64`);
  }
  return Buffer.from(compact, 'base64');
}

function checkName(name: string | null): string | null {
  if (name !== null && name.length > MAX_NAME_CHARACTERS) {
    throw new BadInputError(`A name has at most ${MAX_NAME_CHARACTERS} characters.`, 'input.name');
  }
  return name === null ? null : storable('name', name);
}

/** PostgreSQL stores no NUL in text. */
export function storable(field: string, text: string, root = 'input'): string {
  if (text.includes('\0'))
    throw new BadInputError('NUL characters are not allowed here.', `${root}.${field}`);
  return wellFormed(field, text, root);
}

export function checkLabels(labels: LabelInput[], root = 'input'): { name: string; value: string }[] {
  if (labels.length > MAX_LABELS) throw new BadInputError(`At most ${MAX_LABELS} labels.`, `${root}.labels`);
  const seen = new Set<string>();
  return labels.map(({ name, value }, at) => {
    const field = `${root}.labels.${at}`;
    if (name === '') throw new BadInputError('A label needs a name.', field);
    if (Buffer.byteLength(name) > MAX_LABEL_BYTES || Buffer.byteLength(value) > MAX_LABEL_BYTES) {
      throw new BadInputError(`Names and values of labels have at most ${MAX_LABEL_BYTES} bytes.`, field);
    }
    if (seen.has(name)) throw new BadInputError(`The label ${JSON.stringify(name)} is given twice.`, field);
    seen.add(name);
    return { name: storable(`labels.${at}`, name, root), value: storable(`labels.${at}`, value, root) };
  });
}

function checkNetwork(network: 'NONE' | 'INTERNET', limits: LimitsConfig): 'NONE' | 'INTERNET' {
  if (network === 'INTERNET' && !limits.ALLOW_INTERNET) {
    throw new BadInputError('This service does not give jobs access to the internet.', 'input.network');
  }
  return network;
}

function toEnv(env: EnvVarInput[]): Record<string, string> {
  let bytes = 0;
  const result: Record<string, string> = Object.create(null) as Record<string, string>;
  env.forEach(({ name, value }, at) => {
    const field = `input.env.${at}`;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new BadInputError('A variable is named with letters, digits and underscores.', `${field}.name`);
    }
    if (name in result) throw new BadInputError(`The variable ${name} is given twice.`, `${field}.name`);
    result[name] = storable(`env.${at}.value`, value);
    bytes += name.length + Buffer.byteLength(value);
  });
  tooLarge('env', bytes, MAX_ENV_BYTES);
  return { ...result };
}

function checkSecrets(names: string[], env: EnvVarInput[], config: SecretsConfig): string[] {
  if (names.length > MAX_SECRETS) throw new BadInputError(`At most ${MAX_SECRETS} secrets.`, 'input.secrets');
  names.forEach((name, at) => {
    const fault = secretFault(name, names.slice(0, at), env, config);
    if (fault) throw new BadInputError(fault, `input.secrets.${at}`);
  });
  return names;
}

function secretFault(
  name: string,
  before: string[],
  env: EnvVarInput[],
  config: SecretsConfig,
): string | undefined {
  if (!config.JOB_SECRETS.includes(name)) {
    return 'This service gives jobs no secret of this name; service { secrets } lists those it gives.';
  }
  if (before.includes(name)) return `The secret ${name} is asked for twice.`;
  return env.some((each) => each.name === name) ? `${name} is in env, too.` : undefined;
}

function checkKey(key: string | null): string | null {
  if (key !== null && (key === '' || key.length > MAX_IDEMPOTENCY_KEY_CHARACTERS)) {
    throw new BadInputError(
      `A key has 1 to ${MAX_IDEMPOTENCY_KEY_CHARACTERS} characters.`,
      'input.idempotencyKey',
    );
  }
  return key === null ? null : storable('idempotencyKey', key);
}

function inRange(field: string, value: number, min: number, max: number): number {
  if (!(value >= min && value <= max)) {
    throw new BadInputError(`${field} must be between ${min} and ${max}.`, `input.${field}`);
  }
  return value;
}

function tooLarge(field: string, bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) {
    throw new PayloadTooLargeError(
      `${field} has ${bytes} bytes; at most ${maxBytes} are allowed.`,
      `input.${field}`,
    );
  }
}
