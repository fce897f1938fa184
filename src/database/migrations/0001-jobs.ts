import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';
import type { DialectName } from '../dialect.js';

/** The first schema: jobs, what was asked, their attempts and outputs. */
export function createJobs(dialect: DialectName): Migration {
  const blob = dialect === 'postgres' ? sql`bytea` : sql`blob`;
  const real = dialect === 'postgres' ? sql`double precision` : sql`real`;
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable('jobs')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('tenant_id', 'text', (c) => c.notNull().defaultTo('default'))
        .addColumn('name', 'text')
        .addColumn('environment', 'text', (c) => c.notNull())
        .addColumn('priority', 'integer', (c) => c.notNull())
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('reason', 'text')
        .addColumn('message', 'text')
        .addColumn('hint', 'text')
        .addColumn('exit_code', 'integer')
        .addColumn('signal', 'text')
        .addColumn('cancel_requested', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('attempt', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('epoch', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('owner', 'text')
        .addColumn('lease_until', 'bigint')
        .addColumn('available_at', 'bigint', (c) => c.notNull())
        .addColumn('deadline_at', 'bigint')
        .addColumn('timeout_seconds', 'integer', (c) => c.notNull())
        .addColumn('memory_mb', 'integer', (c) => c.notNull())
        .addColumn('cpus', real, (c) => c.notNull())
        .addColumn('network', 'text', (c) => c.notNull())
        .addColumn('retries', 'integer', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('claimed_at', 'bigint')
        .addColumn('started_at', 'bigint')
        .addColumn('ended_at', 'bigint')
        .addColumn('finished_at', 'bigint')
        .addColumn('wall_ms', 'bigint')
        .addColumn('cpu_ms', 'bigint')
        .addColumn('peak_memory_bytes', 'bigint')
        .addColumn('log_dropped_bytes', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
      // Lists: newest first, all or of one state.
      await db.schema.createIndex('jobs_list').on('jobs').columns(['tenant_id', 'id']).execute();
      await db.schema.createIndex('jobs_by_state').on('jobs').columns(['tenant_id', 'state', 'id']).execute();
      // The queue and the live jobs; partial, so that a million finished jobs cost a claim nothing.
      await sql`create index jobs_queue on jobs (priority desc, id) where state = 'QUEUED'`.execute(db);
      await sql`create index jobs_live on jobs (owner) where state in ('STARTING', 'RUNNING')`.execute(db);

      await db.schema
        .createTable('service_meta')
        .addColumn('key', 'text', (c) => c.primaryKey())
        .addColumn('value', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('job_specs')
        .addColumn('job_id', 'text', (c) => c.primaryKey().references('jobs.id').onDelete('cascade'))
        .addColumn('script', 'text', (c) => c.notNull())
        .addColumn('request', 'text', (c) => c.notNull())
        .addColumn('env', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('job_input_files')
        .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.id').onDelete('cascade'))
        .addColumn('path', 'text', (c) => c.notNull())
        .addColumn('content', blob, (c) => c.notNull())
        .addPrimaryKeyConstraint('job_input_files_pk', ['job_id', 'path'])
        .execute();
      await db.schema
        .createTable('job_labels')
        .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.id').onDelete('cascade'))
        .addColumn('tenant_id', 'text', (c) => c.notNull().defaultTo('default'))
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('value', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('job_labels_pk', ['job_id', 'name'])
        .execute();
      await db.schema
        .createIndex('job_labels_search')
        .on('job_labels')
        .columns(['tenant_id', 'name', 'value', 'job_id'])
        .execute();

      await db.schema
        .createTable('attempts')
        .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.id').onDelete('cascade'))
        .addColumn('number', 'integer', (c) => c.notNull())
        .addColumn('runtime', 'text', (c) => c.notNull())
        .addColumn('scope', 'text', (c) => c.notNull())
        .addColumn('workload', 'text', (c) => c.notNull())
        .addColumn('workspace', 'text', (c) => c.notNull().unique())
        .addColumn('handle', 'text')
        .addColumn('start_intent_at', 'bigint', (c) => c.notNull())
        .addColumn('start_kind', 'text', (c) => c.notNull())
        .addColumn('start_why', 'text', (c) => c.notNull())
        .addColumn('started_at', 'bigint')
        .addColumn('ended_at', 'bigint')
        .addColumn('reason', 'text')
        .addColumn('message', 'text')
        .addColumn('skipped_outputs', 'text')
        .addPrimaryKeyConstraint('attempts_pk', ['job_id', 'number'])
        .execute();
      await db.schema
        .createTable('output_files')
        .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.id').onDelete('cascade'))
        .addColumn('attempt', 'integer', (c) => c.notNull())
        .addColumn('path', 'text', (c) => c.notNull())
        .addColumn('size', 'bigint', (c) => c.notNull())
        .addColumn('sha256', 'text', (c) => c.notNull())
        .addColumn('content_type', 'text', (c) => c.notNull())
        .addColumn('modified_at', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('output_files_pk', ['job_id', 'attempt', 'path'])
        .execute();
      await db.schema
        .createTable('idempotency_keys')
        .addColumn('tenant_id', 'text', (c) => c.notNull().defaultTo('default'))
        .addColumn('key', 'text', (c) => c.notNull())
        .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.id').onDelete('cascade'))
        .addColumn('body_sha256', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('idempotency_keys_pk', ['tenant_id', 'key'])
        .execute();
      await db.schema.createIndex('idempotency_keys_job').on('idempotency_keys').column('job_id').execute();
    },
  };
}
