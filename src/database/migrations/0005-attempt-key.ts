import type { Kysely, Migration } from 'kysely';

/** What an attempt's workload signs with. */
export const addAttemptKey: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('attempts').addColumn('key', 'text').execute();
  },
};
