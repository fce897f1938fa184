import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';

/** What deleting old jobs goes by: what each one keeps on the disks, and until when somebody reads it. */
export const addRetention: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable('jobs')
      .addColumn('stored_bytes', 'bigint', (c) => c.notNull().defaultTo(0))
      .execute();
    await db.schema.alterTable('jobs').addColumn('in_use_until', 'bigint').execute();
    // Jobs of earlier versions count with their outputs; how long their logs are was not noted.
    await sql`update jobs set stored_bytes =
      (select coalesce(sum(size), 0) from output_files where output_files.job_id = jobs.id)
      where finished_at is not null and id in (select job_id from output_files)`.execute(db);
    // Oldest first, with what a sum over them reads; live jobs are not in it.
    await sql`create index jobs_finished on jobs (finished_at, id, stored_bytes)
      where finished_at is not null`.execute(db);
  },
};
