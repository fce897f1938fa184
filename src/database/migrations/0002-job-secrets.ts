import type { Kysely, Migration } from 'kysely';

/** The names of the secrets that a job asks for. */
export const addJobSecrets: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable('job_specs')
      .addColumn('secrets', 'text', (c) => c.notNull().defaultTo('[]'))
      .execute();
  },
};
