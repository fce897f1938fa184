// Generated from the schema by `npm run generate`; do not edit.

/** One try to run the job. */
export interface Attempt {
  number: number;
  /** Name of its container, pod or process. */
  workload: string;
  /** As EXECUTION_RUNTIME names it. */
  runtime: string;
  startedAt: string | null;
  endedAt: string | null;
  reason: JobReason | null;
  message: string | null;
}

export interface EnvVarInput {
  /** Letters, digits and underscores, not beginning with a digit. */
  name: string;
  value: string;
}

/** A named runner image with which a job may run. */
export interface Environment {
  name: string;
  image: string;
}

/** A file that the script finds beneath /input. Exactly one of text and base64 is given. */
export interface InputFileInput {
  /** Relative path beneath /input, for example `data/points.csv`. */
  path: string;
  text?: string | null;
  /** The content, Base64 (RFC 4648). */
  base64?: string | null;
}

export interface Job {
  id: string;
  name: string | null;
  environment: string;
  priority: number;
  state: JobState;
  /** Set when the job has ended. */
  reason: JobReason | null;
  /** What happened, as a sentence. */
  message: string | null;
  /** What may mend it. */
  hint: string | null;
  exitCode: number | null;
  /** Name of the signal that ended the script, for example SIGSEGV. */
  signal: string | null;
  /** `cancelJob` was called; the job is CANCELLED when its workload has ended. */
  cancelRequested: boolean;
  /** Number of the current attempt; 0 before the first. */
  attempt: number;
  /** How often a failed run is repeated. */
  retries: number;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  timings: JobTimings;
  usage: JobUsage;
  limits: JobLimits;
  /** The log passed its size limit: something in its middle is missing, and said there. */
  logTruncated: boolean;
  labels: Label[];
  /** The script as it was sent. */
  script: string;
  request: unknown;
  /** Names of the secrets that the script was given. */
  secrets: string[];
  attempts: Attempt[];
  /** Name of the current attempt’s container, pod or process. */
  workload: string | null;
  start: JobStart | null;
  /** What the script left in /output, by path; there once the job has ended. */
  outputs: OutputFile[];
  /** What in /output was not kept, at most 100 entries. */
  skippedOutputs: SkippedOutput[];
  /** A page of the log as it is now, from the start or behind `after`. */
  logs: LogPage;
}

/** A page of jobs, newest first (Relay cursor connections). */
export interface JobConnection {
  edges: JobEdge[];
  pageInfo: PageInfo;
}

export interface JobEdge {
  cursor: string;
  node: Job;
}

export interface JobFilter {
  states?: JobState[] | null;
  reasons?: JobReason[] | null;
  /** Part of the name, in any case. */
  nameContains?: string | null;
  /** Jobs that carry all of these. */
  labels?: LabelInput[] | null;
  createdAfter?: string | null;
  createdBefore?: string | null;
}

export interface JobLimits {
  timeoutSeconds: number;
  memoryMb: number;
  cpus: number;
  network: NetworkAccess;
}

export interface JobLogEvent {
  chunks: LogChunk[];
  /** Set in the last event only: the job in its final state. */
  job: Job | null;
  /** Set when the rest of an attempt’s log cannot be read, because the script damaged it. */
  damage: string | null;
}

/** Why a job ended. A fault of the script and one of the platform never share a reason. */
export const JOB_REASONS = [
  'EXIT_ZERO',
  'EXIT_NONZERO',
  'SIGNAL',
  'OUT_OF_MEMORY',
  'TIMEOUT',
  'CANCELLED_BY_USER',
  'DISK_LIMIT',
  'IMAGE_UNAVAILABLE',
  'UNSCHEDULABLE',
  'START_FAILED',
  'EVICTED',
  'DELETED_EXTERNALLY',
  'NODE_LOST',
  'RUNTIME_LOST',
  'ABANDONED',
] as const;
export type JobReason = (typeof JOB_REASONS)[number];

/** How the workload was started, and why that way. */
export interface JobStart {
  kind: StartKind;
  why: string;
}

/** Where a job is in its life. SUCCEEDED, FAILED, TIMED_OUT, CANCELLED and LOST are final. */
export const JOB_STATES = [
  'QUEUED',
  'STARTING',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'TIMED_OUT',
  'CANCELLED',
  'LOST',
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Where the time went, in milliseconds; null for what has not happened. */
export interface JobTimings {
  /** Waiting for a free place. */
  queuedMs: number | null;
  /** Making the workload, until the script ran. */
  startMs: number | null;
  /** The script. */
  runMs: number | null;
  /** Collecting the outputs. */
  collectMs: number | null;
}

/** What the script used; null where the runtime cannot tell. */
export interface JobUsage {
  wallMs: number | null;
  /** CPU time of the script and its children. */
  cpuMs: number | null;
  /** Largest resident size of one of its processes. */
  peakMemoryBytes: number | null;
}

export interface Label {
  name: string;
  value: string;
}

export interface LabelInput {
  name: string;
  value: string;
}

/** A piece of what the script printed: at most 64 KiB of one stream. */
export interface LogChunk {
  /** 1, 2, 3 … within an attempt, without gaps, over both streams. */
  seq: number;
  /** Give it as `after` to go on behind this chunk; valid across reconnects and restarts. */
  cursor: string;
  attempt: number;
  at: string;
  stream: LogStream;
  /** Valid UTF-8; bytes that were not are U+FFFD. */
  text: string;
  /** Bytes of this stream that are missing here because the log had reached its size limit; `text` is empty then. */
  droppedBytes: number | null;
}

export interface LogPage {
  chunks: LogChunk[];
  /** Give it as `after` for the next page. */
  endCursor: string;
  /** More was there when the page was read. */
  hasMore: boolean;
  damage: string | null;
}

export const LOG_STREAMS = ['STDOUT', 'STDERR'] as const;
export type LogStream = (typeof LOG_STREAMS)[number];

/** What a script may reach. */
export const NETWORK_ACCESSS = ['NONE', 'INTERNET'] as const;
export type NetworkAccess = (typeof NETWORK_ACCESSS)[number];

export interface OutputFile {
  /** Relative to /output. */
  path: string;
  /** Bytes. */
  size: number;
  /** SHA-256, lower-case hex. */
  sha256: string;
  contentType: string;
  modifiedAt: string;
  /** Path of the download on this service's address. */
  url: string;
}

export interface PageInfo {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  startCursor: string | null;
  endCursor: string | null;
}

export interface RunScriptInput {
  /** Python source, at most 900 KiB of UTF-8. */
  script: string;
  /** Reaches the script as /input/request.json; at most 900 KiB. */
  request?: unknown;
  /** At most 100 files and 2 MiB in all. */
  files?: InputFileInput[] | null;
  /** One of `environments`. */
  environment?: string | null;
  /** For people; at most 200 characters. */
  name?: string | null;
  /** At most 32, each name once. */
  labels?: LabelInput[] | null;
  /** Higher runs first; −1000 to 1000. */
  priority?: number | null;
  /** Seconds the script may run; the service's default where not given. */
  timeoutSeconds?: number | null;
  /** MiB of memory. */
  memoryMb?: number | null;
  /** CPUs; fractions are allowed. Default 1. */
  cpus?: number | null;
  /** Default NONE. */
  network?: NetworkAccess | null;
  /** Added to the script's environment; 64 KiB in all. */
  env?: EnvVarInput[] | null;
  /** Names out of `service { secrets }`, at most 20: each is a variable of the script, whose value is never stored and is masked in the log. */
  secrets?: string[] | null;
  /** How often a script that started and then failed is run again; 0 to 10. A platform failure before the start is retried by itself. */
  retries?: number | null;
  /** The same key with the same request finds the job made before. */
  idempotencyKey?: string | null;
}

export interface RunScriptPayload {
  job: Job;
}

export interface Service {
  version: string;
  runtime: ServiceRuntime;
  /** How scripts are kept apart: container, sandbox, or none. */
  isolation: string;
  queue: ServiceQueue;
  pool: ServicePool;
  sweeper: ServiceSweeper;
  limits: ServiceLimits;
  /** Names of the secrets that a job may ask for. */
  secrets: string[];
}

/** The warm workers of one environment, on this replica. */
export interface ServiceEnvironmentPool {
  environment: string;
  min: number;
  max: number;
  /** How many are wanted now: more while jobs come often. */
  target: number;
  /** Workers that wait for a job. */
  ready: number;
  /** Workers on their way. */
  starting: number;
  /** Jobs that got a worker, since the replica started. */
  hits: number;
  /** Jobs that started cold because no worker was ready, since then. */
  misses: number;
  /** Why workers do not come up. */
  message: string | null;
}

/** Bounds of one job. */
export interface ServiceLimits {
  maxScriptBytes: number;
  maxRequestBytes: number;
  maxInputFilesBytes: number;
  defaultTimeoutSeconds: number;
  maxTimeoutSeconds: number;
  defaultMemoryMb: number;
  maxMemoryMb: number;
  maxCpus: number;
  maxLogBytes: number;
  maxOutputBytes: number;
}

export interface ServicePool {
  /** Warm workers that wait for a job, on this replica. */
  ready: number;
  /** Those of WARM_POOL. */
  environments: ServiceEnvironmentPool[];
}

export interface ServiceQueue {
  queued: number;
  running: number;
  maxQueued: number;
  /** Jobs that this replica runs at the same time. */
  maxConcurrent: number;
}

export interface ServiceRuntime {
  /** As EXECUTION_RUNTIME names it. */
  name: string;
  healthy: boolean;
  /** The engine’s version, or what is wrong with it. */
  message: string;
  /** Why this runtime was chosen. */
  reason: string;
  /** What it can enforce; docs/runtimes.md explains each. */
  capabilities: Record<string, unknown>;
}

/** What belonged to no job and was removed by this replica since it started. More than a few mean that servers die, or that something else tampers with the engine. */
export interface ServiceSweeper {
  workloadsRemoved: number;
  workspacesRemoved: number;
}

/** Something in /output that was not kept. */
export interface SkippedOutput {
  path: string;
  why: string;
}

export const START_KINDS = ['COLD', 'WARM'] as const;
export type StartKind = (typeof START_KINDS)[number];
