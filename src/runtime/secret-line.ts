import { KiB } from '../common/bytes.js';
import { toSecretLine } from '../runner/secrets.js';
import { WorkloadStartError } from './runtime.errors.js';

/** Where a runtime of this machine finds the values; `SecretValues` and `Map` are such. */
export interface SecretLookup {
  get(name: string): string | undefined;
}

/** Fits the buffer of a pipe, so that handing it over never waits for whoever reads it. */
const MAX_LINE_BYTES = 32 * KiB;

/**
 * What the runner of a job with these secrets reads; undefined for a job without any. Pure.
 *
 * @throws WorkloadStartError when a value is missing, or all together are too long
 */
export function secretLine(names: readonly string[], values: SecretLookup): string | undefined {
  if (names.length === 0) return undefined;
  const line = toSecretLine(new Map(names.map((name) => [name, valueOf(name, values)])));
  if (Buffer.byteLength(line) > MAX_LINE_BYTES) {
    const message = `The values of ${names.join(', ')} are too long: together they have more than 32 KiB.`;
    throw new WorkloadStartError({ kind: 'refused', message, retryable: false });
  }
  return line;
}

function valueOf(name: string, values: SecretLookup): string {
  const value = values.get(name);
  if (value !== undefined) return value;
  throw new WorkloadStartError({
    kind: 'refused',
    message: `The secret ${name} has no value in this service.`,
    hint: `Set ${name}, or ${name}_FILE, for the server and start it again.`,
    retryable: false,
  });
}
