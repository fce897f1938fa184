import { markShared } from '../common/async/shared-events.js';
import type { JobLogStep } from './job-log.service.js';
import type { SpoolChunk } from './log-chunk.js';
import type { JobLogEvent } from './models/log.model.js';
import { toLogEvent } from './to-log-models.js';

/** Events by their chunks: followers at one position of one log are given the same list of chunks. */
const events = new WeakMap<readonly SpoolChunk[], JobLogEvent>();

/**
 * The API's view of a step. Followers who are given the very same chunks get the very same event, marked as shared. The
 * event of the job's end is never shared, since its fields are resolved per caller. Events of a single follower are not
 * kept: a fast log would fill the memory with events that nobody else asks for, until a full garbage collection.
 */
export function toSharedLogEvent(step: JobLogStep): JobLogEvent {
  if (!step.isShared || step.job !== null || step.damage !== null) return toLogEvent(step);
  const known = events.get(step.chunks);
  if (known) return known;
  const event = markShared(toLogEvent(step));
  events.set(step.chunks, event);
  return event;
}
