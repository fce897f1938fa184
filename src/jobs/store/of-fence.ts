import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { Fence } from '../record/job.js';

/** The job as its writer knows it: the comparison of every write to a live job. */
export function ofFence({ jobId, attempt, epoch, owner }: Fence): RawBuilder<boolean> {
  return sql<boolean>`(id = ${jobId} and attempt = ${attempt} and epoch = ${epoch} and owner = ${owner})`;
}
