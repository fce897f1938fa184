import type * as schema from './schema-types.js';

/** What this client asks for of the schema. */
export type Job = Omit<
  Pick<
    schema.Job,
    | 'id'
    | 'name'
    | 'environment'
    | 'labels'
    | 'state'
    | 'reason'
    | 'message'
    | 'hint'
    | 'exitCode'
    | 'signal'
    | 'cancelRequested'
    | 'attempt'
    | 'createdAt'
    | 'startedAt'
    | 'finishedAt'
    | 'timings'
    | 'usage'
    | 'limits'
    | 'logTruncated'
  >,
  'reason'
> & {
  /** Why it ended; see `JobReason`. A string here, so that an old client survives a new reason. */
  reason: string | null;
};

/** The selection that makes a `Job`. */
export const JOB_FIELDS = `
  id name environment labels { name value } state reason message hint exitCode signal cancelRequested attempt
  createdAt startedAt finishedAt timings { queuedMs startMs runMs collectMs } usage { wallMs cpuMs peakMemoryBytes }
  limits { timeoutSeconds memoryMb cpus network } logTruncated`;

export type LogChunk = Pick<
  schema.LogChunk,
  'seq' | 'cursor' | 'attempt' | 'at' | 'stream' | 'text' | 'droppedBytes'
>;

export const CHUNK_FIELDS = 'seq cursor attempt at stream text droppedBytes';

export interface JobLogEvent extends Pick<schema.JobLogEvent, 'damage'> {
  chunks: LogChunk[];
  /** Set in the last event only. */
  job: Job | null;
}

export interface LogPage extends Pick<schema.LogPage, 'endCursor' | 'hasMore' | 'damage'> {
  chunks: LogChunk[];
}

export type OutputFile = Pick<schema.OutputFile, 'path' | 'size' | 'sha256' | 'contentType' | 'url'>;
