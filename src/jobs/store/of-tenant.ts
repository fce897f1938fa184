import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { Principal } from '../../common/principal.js';

/** What a principal may see of a table that has a tenant. */
export function ofTenant({ tenant }: Principal, column = 'jobs.tenant_id'): RawBuilder<boolean> {
  return tenant === undefined ? sql<boolean>`1 = 1` : sql<boolean>`${sql.ref(column)} = ${tenant}`;
}

/** What a principal may see of a table whose rows belong to a job. */
export function ofTenantsJob({ tenant }: Principal, column: string): RawBuilder<boolean> {
  if (tenant === undefined) return sql<boolean>`1 = 1`;
  return sql<boolean>`exists (select 1 from jobs where jobs.id = ${sql.ref(column)} and jobs.tenant_id = ${tenant})`;
}
