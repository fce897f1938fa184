import type { ColumnType, Generated, Selectable } from 'kysely';

/**
 * The tables, as both dialects hold them. Times are milliseconds since 1970 UTC; flags are 0 or 1, since SQLite has no
 * boolean; structured values that are never searched are JSON text.
 */
export interface Tables {
  jobs: JobsTable;
  job_specs: JobSpecsTable;
  job_input_files: JobInputFilesTable;
  job_labels: JobLabelsTable;
  attempts: AttemptsTable;
  output_files: OutputFilesTable;
  idempotency_keys: IdempotencyKeysTable;
  service_meta: ServiceMetaTable;
  outbox: OutboxTable;
  outbox_removed: OutboxRemovedTable;
  outbox_consumers: OutboxConsumersTable;
}

/** One row per job: what lists show and what the fence compares. */
export interface JobsTable {
  /** UUID v7: sorts by creation. */
  id: string;
  tenant_id: Generated<string>;
  name: string | null;
  environment: string;
  priority: number;
  state: string;
  reason: string | null;
  message: string | null;
  hint: string | null;
  exit_code: number | null;
  signal: string | null;
  cancel_requested: Generated<number>;
  /** Number of the current attempt; 0 before the first. */
  attempt: Generated<number>;
  /** Raised by every claim and every adoption. (attempt, epoch, owner) is the fence of every write to a live job. */
  epoch: Generated<number>;
  /** The replica that runs the job. */
  owner: string | null;
  lease_until: number | null;
  /** Not claimed before this time. */
  available_at: number;
  /** When the script must have ended; set when it starts. */
  deadline_at: number | null;
  timeout_seconds: number;
  memory_mb: number;
  cpus: number;
  network: string;
  retries: number;
  created_at: number;
  claimed_at: number | null;
  started_at: number | null;
  ended_at: number | null;
  finished_at: number | null;
  wall_ms: number | null;
  cpu_ms: number | null;
  peak_memory_bytes: number | null;
  /** Bytes of output that the log's size limit dropped. */
  log_dropped_bytes: Generated<number>;
  /** Bytes that its ended attempts keep in the workspaces: outputs and logs. */
  stored_bytes: Generated<number>;
  /** Retention leaves the job alone until then, on the database's clock: a replica serves its files. */
  in_use_until: number | null;
  /** Where the job's last change stands among those of other transactions: `xid` of its last row in the outbox. */
  change_xid: Generated<number>;
  /** How many rows its writers have put into the outbox. On PostgreSQL, which does it for those that do not count. */
  changes: Generated<number>;
}

/** What was asked, apart from the row that lists read. */
export interface JobSpecsTable {
  job_id: string;
  script: string;
  /** JSON. */
  request: string;
  /** JSON: name to value. */
  env: string;
  /** JSON: names of secrets, never a value. */
  secrets: Generated<string>;
}

export interface JobInputFilesTable {
  job_id: string;
  path: string;
  /** Read as plain bytes from SQLite. */
  content: ColumnType<Uint8Array, Buffer>;
}

export interface JobLabelsTable {
  job_id: string;
  tenant_id: Generated<string>;
  name: string;
  value: string;
}

export interface AttemptsTable {
  job_id: string;
  number: number;
  runtime: string;
  scope: string;
  workload: string;
  workspace: string;
  handle: string | null;
  /** What its workload signs with, hexadecimal, until it has ended. Shown to nobody. */
  key: string | null;
  /** Committed before the engine is told to start: after it only positive proof permits another attempt. */
  start_intent_at: number;
  /** `COLD` or `WARM`, and why. */
  start_kind: string;
  start_why: string;
  started_at: number | null;
  ended_at: number | null;
  reason: string | null;
  message: string | null;
  /** JSON: `{ path, why }[]`. */
  skipped_outputs: string | null;
}

export interface OutputFilesTable {
  job_id: string;
  attempt: number;
  path: string;
  size: number;
  sha256: string;
  content_type: string;
  modified_at: number;
}

export interface IdempotencyKeysTable {
  tenant_id: Generated<string>;
  key: string;
  job_id: string;
  body_sha256: string;
  created_at: number;
}

/** What the service remembers about itself. */
export interface ServiceMetaTable {
  key: string;
  value: string;
}

/** One row for each change of a job, written by the commit that made it: what the job was afterwards. */
export interface OutboxTable {
  /**
   * The writing transaction on PostgreSQL, or a later one that changed the same job before; 0 on SQLite. Rows are read in
   * the order of (xid, seq).
   */
  xid: Generated<number>;
  seq: Generated<number>;
  tenant_id: string;
  job_id: string;
  state: string;
  attempt: number;
  cancel_requested: number;
  /** On the database's clock. */
  at: Generated<number>;
}

/** One row: up to where the outbox was removed. */
export interface OutboxRemovedTable {
  id: number;
  xid: number;
  seq: number;
}

/** Up to where each durable consumer has been given the outbox, and which replica gives it. */
export interface OutboxConsumersTable {
  name: string;
  xid: number;
  seq: number;
  owner: string | null;
  /** On the database's clock. */
  lease_until: number | null;
  /** Changes that were removed before the consumer had them, and that it was not told of. */
  lost: Generated<number>;
}

export type JobRow = Selectable<JobsTable>;
export type JobSpecRow = Selectable<JobSpecsTable>;
export type AttemptRow = Selectable<AttemptsTable>;
export type OutputFileRow = Selectable<OutputFilesTable>;
