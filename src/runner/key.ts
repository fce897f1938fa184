import { randomBytes } from 'node:crypto';

const KEY_BYTES = 32;

/** What one workload signs with; "Signed frames" in docs/runner-contract.md. It is shown to nobody. */
export interface WorkloadKey {
  /** The workload's name. */
  readonly workload: string;
  /** Hexadecimal. */
  readonly key: string;
}

export function newKey(): string {
  return randomBytes(KEY_BYTES).toString('hex');
}

/** The content of the key's file. A runner takes the file away, and nobody but the server can write it again. */
export function toKeyFile({ workload, key }: WorkloadKey): string {
  return `${JSON.stringify({ version: 1, workload, key })}\n`;
}
