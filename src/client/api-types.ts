/** What a client sees of the API: the parts of `schema.gql` that this client asks for. */

export type JobState =
  'QUEUED' | 'STARTING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'CANCELLED' | 'LOST';

export interface Label {
  name: string;
  value: string;
}

export interface Job {
  id: string;
  name: string | null;
  environment: string;
  labels: Label[];
  state: JobState;
  /** Why it ended; see `JobReason` in the schema. A string here, so that an old client survives a new reason. */
  reason: string | null;
  message: string | null;
  hint: string | null;
  exitCode: number | null;
  signal: string | null;
  cancelRequested: boolean;
  attempt: number;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  timings: {
    queuedMs: number | null;
    startMs: number | null;
    runMs: number | null;
    collectMs: number | null;
  };
  usage: { wallMs: number | null; cpuMs: number | null; peakMemoryBytes: number | null };
  limits: { timeoutSeconds: number; memoryMb: number; cpus: number; network: 'NONE' | 'INTERNET' };
  logTruncated: boolean;
}

/** The selection that makes a `Job`. */
export const JOB_FIELDS = `
  id name environment labels { name value } state reason message hint exitCode signal cancelRequested attempt
  createdAt startedAt finishedAt timings { queuedMs startMs runMs collectMs } usage { wallMs cpuMs peakMemoryBytes }
  limits { timeoutSeconds memoryMb cpus network } logTruncated`;

export interface LogChunk {
  seq: number;
  cursor: string;
  attempt: number;
  at: string;
  stream: 'STDOUT' | 'STDERR';
  text: string;
  droppedBytes: number | null;
}

export interface JobLogEvent {
  chunks: LogChunk[];
  /** Set in the last event only. */
  job: Job | null;
  damage: string | null;
}

export interface LogPage {
  chunks: LogChunk[];
  endCursor: string;
  hasMore: boolean;
  damage: string | null;
}

export const CHUNK_FIELDS = 'seq cursor attempt at stream text droppedBytes';

export interface OutputFile {
  path: string;
  size: number;
  sha256: string;
  contentType: string;
  /** Path of the download on the service's address. */
  url: string;
}

export interface SkippedOutput {
  path: string;
  why: string;
}

export interface RunScriptInput {
  script: string;
  request?: unknown;
  files?: { path: string; text?: string; base64?: string }[];
  environment?: string;
  name?: string;
  labels?: Label[];
  priority?: number;
  timeoutSeconds?: number;
  memoryMb?: number;
  cpus?: number;
  network?: 'NONE' | 'INTERNET';
  env?: { name: string; value: string }[];
  secrets?: string[];
  retries?: number;
  idempotencyKey?: string;
}

export interface JobFilter {
  states?: JobState[];
  labels?: Label[];
  nameContains?: string;
}
