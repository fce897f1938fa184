import { Injectable } from '@nestjs/common';
import { JoinedReads } from '../common/async/joined-reads.js';
import type { Principal } from '../common/principal.js';
import { Database } from '../database/database.js';
import { rideOut } from '../database/ride-out.js';
import type { Attempt, Job } from '../jobs/record/job.js';
import { JobEvents } from '../jobs/record/job-events.js';
import { JobHolds } from '../jobs/retention/job-holds.js';
import { JobRepository } from '../jobs/store/job.repository.js';
import { JobService } from '../jobs/job.service.js';
import { isTerminal } from '../jobs/record/job-state.js';
import type { SpoolChunk } from './log-chunk.js';
import type { LogPosition } from './log-cursor.js';
import type { SpoolTail } from './spool-tail.js';
import { SpoolTails } from './spool-tails.js';

export interface JobLogStep {
  attempt: number;
  chunks: SpoolChunk[];
  /** Whether other followers on this replica may be given the very same chunks. */
  isShared: boolean;
  /** Set once per attempt whose spool turned out to be damaged. */
  damage: string | null;
  /** Set in the last step of all: the job in its final state. */
  job: Job | null;
}

export interface JobLogPage {
  attempt: number;
  chunks: SpoolChunk[];
  /** Where the next page begins. */
  end: LogPosition;
  hasMore: boolean;
  damage: string | null;
}

interface FollowPosition extends LogPosition {
  /** What follows in this attempt's spool is not a log. */
  isDamaged: boolean;
}

/** With this many followers of one log, each gets at most one event per interval. */
const CROWD = 20;
const CROWD_INTERVAL_MS = 50;
/** Sending an event costs some 20 µs of CPU per follower: this interval per follower keeps a crowd at a fifth of a core. */
const INTERVAL_MS_PER_FOLLOWER = 0.1;
const MAX_CROWD_INTERVAL_MS = 250;

/** A job's log over all its attempts, read from the spools whoever wrote them and whichever replica runs the job. */
@Injectable()
export class JobLogService {
  /** A change of a job wakes all its followers: they share one read. */
  private readonly reads = new JoinedReads();

  constructor(
    private readonly jobs: JobService,
    private readonly repository: JobRepository,
    private readonly tails: SpoolTails,
    private readonly events: JobEvents,
    private readonly database: Database,
    private readonly holds: JobHolds,
  ) {}

  /**
   * What is there after `from`, then what comes, then one last step with the final job. Every chunk after `from` comes
   * exactly once. Ends without the last step only when `signal` aborts. Throws JobNotFoundError, also when the job is
   * deleted meanwhile.
   */
  async *follow(
    principal: Principal,
    jobId: string,
    from: LogPosition,
    signal: AbortSignal,
  ): AsyncGenerator<JobLogStep, void, undefined> {
    let position: FollowPosition = { ...from, isDamaged: false };
    let release: (() => void) | undefined;
    try {
      for (;;) {
        const change = this.nextChange(jobId, signal);
        try {
          // The job is read before its log: whatever it wrote before it was final is then certainly seen.
          const job = await rideOut(() => this.readJob(principal, jobId), signal);
          const isOver = isTerminal(job.state);
          // Retention deletes no live job. Once a job has ended, this hold makes retention wait for the reader.
          if (isOver) release ??= await rideOut(() => this.holds.hold(principal, jobId), signal);
          const isPast = isOver || position.attempt < job.attempt;
          if (position.attempt <= job.attempt) {
            const find = (): Promise<Attempt | undefined> =>
              this.readAttempt(principal, jobId, position.attempt);
            const attempt = position.isDamaged ? undefined : await rideOut(find, signal);
            if (attempt) position = yield* this.followAttempt(attempt, position, isPast, change.signal);
          }
          if (signal.aborted) return;
          if (position.attempt < job.attempt)
            position = { attempt: position.attempt + 1, offset: 0, isDamaged: false };
          else if (isOver) {
            // Throws when the job was deleted meanwhile: its log could have been cut at either end.
            await rideOut(() => this.readJob(principal, jobId), signal);
            return yield { attempt: job.attempt, chunks: [], isShared: false, damage: null, job };
          } else await change.happened;
        } finally {
          change.stop();
        }
        if (signal.aborted) return;
      }
    } finally {
      release?.();
    }
  }

  private readJob(principal: Principal, jobId: string): Promise<Job> {
    return this.reads.read(keyOf(principal, jobId), () => this.jobs.get(principal, jobId));
  }

  private readAttempt(principal: Principal, jobId: string, number: number): Promise<Attempt | undefined> {
    return this.reads.read(keyOf(principal, `${jobId}:${number}`), () =>
      this.repository.attempt(principal, jobId, number),
    );
  }

  /** One attempt's chunks: to the end of its log when it `isPast`, else until something about the job changes. */
  private async *followAttempt(
    attempt: Attempt,
    from: FollowPosition,
    isPast: boolean,
    changed: AbortSignal,
  ): AsyncGenerator<JobLogStep, FollowPosition, undefined> {
    let { offset } = from;
    let hasLookedAgain = false;
    const tail = this.tails.acquire(attempt.workspace);
    try {
      for (;;) {
        const batch = await tail.read(offset);
        const hasGrown = batch.endOffset > offset;
        offset = batch.endOffset;
        if (batch.chunks.length > 0 || batch.damage) {
          yield {
            attempt: from.attempt,
            chunks: batch.chunks,
            isShared: tail.followers > 1,
            damage: batch.damage?.message ?? null,
            job: null,
          };
        }
        if (batch.damage) return { attempt: from.attempt, offset, isDamaged: true };
        if (hasGrown) await letCrowdGather(tail, changed);
        else if (isPast && !hasLookedAgain) {
          await tail.lookAgain();
          hasLookedAgain = true;
        } else if (isPast || changed.aborted) return { attempt: from.attempt, offset, isDamaged: false };
        else await tail.waitBeyond(offset, changed);
      }
    } finally {
      await this.tails.release(attempt.workspace, tail);
    }
  }

  /** Up to `first` chunks after `from`, of one attempt: that of `from`, or the next one that printed something. */
  async page(principal: Principal, job: Job, from: LogPosition, first: number): Promise<JobLogPage> {
    for (let start = from; ;) {
      const page = await this.attemptPage(principal, job, start, first);
      if (page.chunks.length > 0 || page.damage !== null || page.end.attempt === start.attempt) return page;
      start = page.end;
    }
  }

  private async attemptPage(
    principal: Principal,
    job: Job,
    from: LogPosition,
    first: number,
  ): Promise<JobLogPage> {
    const attempt = await this.repository.attempt(principal, job.id, from.attempt);
    const empty = { attempt: from.attempt, chunks: [], end: from, hasMore: false, damage: null };
    if (!attempt) return empty;
    return this.tails.with(attempt.workspace, async (tail) => {
      const batch = await tail.read(from.offset);
      const chunks = batch.chunks.slice(0, first);
      const isCut = chunks.length < batch.chunks.length;
      const offset = isCut ? (chunks.at(-1)?.endOffset ?? from.offset) : batch.endOffset;
      const damage = isCut ? null : (batch.damage?.message ?? null);
      const hasMore = isCut || (offset > from.offset && damage === null);
      const isLast = hasMore || from.attempt >= job.attempt;
      const end = isLast ? { attempt: from.attempt, offset } : { attempt: from.attempt + 1, offset: 0 };
      return { attempt: from.attempt, chunks, end, hasMore: hasMore || !isLast, damage };
    });
  }

  /** One attempt's log as it is now, as text in pieces; nothing without an attempt. */
  async *text(workspaceId: string | undefined): AsyncGenerator<string, void, undefined> {
    if (workspaceId === undefined) return;
    const tail = this.tails.acquire(workspaceId);
    try {
      for (let offset = 0; ;) {
        const batch = await tail.read(offset);
        const text = batch.chunks.map(toPlainText).join('');
        if (text !== '') yield text;
        if (batch.damage) yield `\n[${batch.damage.message}]\n`;
        if (batch.damage || batch.endOffset === offset) return;
        offset = batch.endOffset;
      }
    } finally {
      await this.tails.release(workspaceId, tail);
    }
  }

  private nextChange(
    jobId: string,
    signal: AbortSignal,
  ): { happened: Promise<void>; signal: AbortSignal; stop: () => void } {
    const controller = new AbortController();
    const raise = (): void => controller.abort();
    const off = this.events.onJob(jobId, raise);
    signal.addEventListener('abort', raise, { once: true });
    if (signal.aborted) raise();
    const timer = setTimeout(raise, untilNext(this.database.recheckMs)).unref();
    const stop = (): void => {
      off();
      clearTimeout(timer);
      signal.removeEventListener('abort', raise);
      raise();
    };
    return { happened: untilAborted(controller.signal), signal: controller.signal, stop };
  }
}

/** All followers look again at the same moments, so that they can share one read. */
function untilNext(periodMs: number): number {
  return periodMs - (performance.now() % periodMs);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** With many followers each event costs as many messages: output gathers into fewer events instead. */
async function letCrowdGather(tail: SpoolTail, signal: AbortSignal): Promise<void> {
  if (tail.followers < CROWD) return;
  const fairMs = tail.followers * INTERVAL_MS_PER_FOLLOWER;
  await tail.gather(Math.min(Math.max(fairMs, CROWD_INTERVAL_MS), MAX_CROWD_INTERVAL_MS), signal);
}

function toPlainText(chunk: SpoolChunk): string {
  return chunk.droppedBytes === null
    ? chunk.text
    : `\n[${chunk.droppedBytes} bytes of output are missing here]\n`;
}

/** Callers share a read only when they may see the same. */
function keyOf({ tenant, scopes }: Principal, what: string): string {
  return JSON.stringify([tenant, [...scopes], what]);
}
