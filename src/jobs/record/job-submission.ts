import { createHash } from 'node:crypto';
import type { InputFile } from '../../workspace/workspace-content.js';
import type { JobSpec, Network } from './job.js';

/** A checked request to run a script, with every default filled in. */
export interface JobSubmission extends JobSpec {
  files: InputFile[];
  environment: string;
  name: string | null;
  labels: { name: string; value: string }[];
  priority: number;
  timeoutSeconds: number;
  memoryMb: number;
  cpus: number;
  network: Network;
  retries: number;
  idempotencyKey: string | null;
}

/** What two requests with one idempotency key must share. Independent of the order of keys in objects. */
export function submissionDigest(submission: JobSubmission): string {
  const { idempotencyKey: _, files, secrets, requestText, ...rest } = submission;
  const body = {
    ...rest,
    request: JSON.parse(requestText) as unknown,
    files: files.map((file) => [file.path, file.content.toString('base64')]),
    // Left out when empty: idempotency keys stored by a version without secrets must still match their jobs.
    ...(secrets.length > 0 ? { secrets: [...secrets].sort() } : {}),
  };
  return createHash('sha256')
    .update(JSON.stringify(sortKeys(body)))
    .digest('hex');
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sortKeys(inner)]),
  );
}
