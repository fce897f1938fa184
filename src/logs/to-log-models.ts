import { toJobModel } from '../jobs/api/to-job-model.js';
import type { JobLogPage, JobLogStep } from './job-log.service.js';
import type { SpoolChunk } from './log-chunk.js';
import { encodeCursor } from './log-cursor.js';
import type { JobLogEvent, LogChunk, LogPage } from './models/log.model.js';

/** The API's views of a log. Pure. */
export function toLogEvent(step: JobLogStep): JobLogEvent {
  return {
    chunks: step.chunks.map((chunk) => toLogChunk(step.attempt, chunk)),
    job: step.job && toJobModel(step.job),
    damage: step.damage,
  };
}

export function toLogPage(page: JobLogPage): LogPage {
  return {
    chunks: page.chunks.map((chunk) => toLogChunk(page.attempt, chunk)),
    endCursor: encodeCursor(page.end),
    hasMore: page.hasMore,
    damage: page.damage,
  };
}

function toLogChunk(attempt: number, chunk: SpoolChunk): LogChunk {
  return {
    seq: chunk.seq,
    cursor: encodeCursor({ attempt, offset: chunk.endOffset }),
    attempt,
    at: new Date(chunk.atMs),
    stream: chunk.stream,
    text: chunk.text,
    droppedBytes: chunk.droppedBytes,
  };
}
