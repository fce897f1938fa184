import type { Transaction } from 'kysely';
import type { Principal } from '../../common/principal.js';
import type { Tables } from '../../database/tables.js';
import type { DeletedJob } from './deleted-job.js';
import { ofTenant } from './of-tenant.js';
import { LIVE_STATES } from '../record/job-state.js';

/** Deletes everything that is stored of finished jobs; those that are not finished, or not there, are left out. */
export async function deleteJobRows(
  tx: Transaction<Tables>,
  principal: Principal,
  ids: readonly string[],
): Promise<DeletedJob[]> {
  const attempts = await tx
    .selectFrom('attempts')
    .select(['job_id', 'workspace'])
    .where('job_id', 'in', ids)
    .execute();
  const deleted = await tx
    .deleteFrom('jobs')
    .where('id', 'in', ids)
    .where(ofTenant(principal))
    .where('state', 'not in', ['QUEUED', ...LIVE_STATES])
    .returning('id')
    .execute();
  return deleted.map(({ id }) => ({
    id,
    workspaces: attempts.filter((attempt) => attempt.job_id === id).map((attempt) => attempt.workspace),
  }));
}
