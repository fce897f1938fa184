import { Injectable } from '@nestjs/common';
import { Backoff } from '../common/async/abort.js';
import { Bell } from '../common/async/bell.js';
import { JoinedReads } from '../common/async/joined-reads.js';
import type { Principal } from '../common/principal.js';
import { Database } from '../database/database.js';
import { rideOut } from '../database/ride-out.js';
import type { OutboxBatch, OutboxPosition } from '../outbox/outbox-change.js';
import { OutboxReader } from '../outbox/outbox-reader.js';
import type { Job } from './record/job.js';
import { SubscriberBehindError } from './record/job.errors.js';
import { JobEvents } from './record/job-events.js';
import { JobService } from './job.service.js';
import type { JobQuery } from './store/job.repository.js';
import { JobRepository } from './store/job.repository.js';
import { isTerminal } from './record/job-state.js';

/** Delays before changes are looked for again that another transaction holds up; most of them last milliseconds. */
const UNSETTLED_FIRST_MS = 5;
const UNSETTLED_MAX_MS = 1_000;

/** Jobs as they change. Every value is read from the database, so it is never older than one given before. */
@Injectable()
export class JobFollower {
  private readonly reads = new JoinedReads();

  constructor(
    private readonly jobs: JobService,
    private readonly repository: JobRepository,
    private readonly events: JobEvents,
    private readonly database: Database,
    private readonly outbox: OutboxReader,
  ) {}

  /** The present state first, then the latest whenever it differs, the terminal one last. */
  async *follow(
    principal: Principal,
    jobId: string,
    signal: AbortSignal,
  ): AsyncGenerator<Job, void, undefined> {
    const bell = new Bell();
    const off = this.events.onJob(jobId, () => bell.ring());
    try {
      for (let last = ''; !signal.aborted;) {
        const job = await rideOut(() => this.jobs.get(principal, jobId), signal);
        const version = versionOf(job);
        if (version !== last) yield job;
        last = version;
        if (isTerminal(job.state)) return;
        await bell.wait(this.database.recheckMs, signal);
      }
    } finally {
      off();
    }
  }

  /**
   * Every job that matches, at each of its changes from now on; several changes may come as the latest state. Hints only
   * say when to look: what changed is read from the outbox, so a lost hint costs time and no change.
   * @throws SubscriberBehindError
   */
  async *followAll(
    principal: Principal,
    query: JobQuery,
    signal: AbortSignal,
  ): AsyncGenerator<Job, void, undefined> {
    const bell = new Bell();
    const off = this.events.onAny(() => bell.ring());
    const unsettled = new Backoff(UNSETTLED_FIRST_MS, UNSETTLED_MAX_MS);
    try {
      let position = await rideOut(() => this.outbox.head(), signal);
      while (!signal.aborted) {
        const from = position;
        const batch = await rideOut(() => this.outbox.read(from), signal);
        if (batch.isBehind) throw new SubscriberBehindError();
        position = batch.end;
        if (batch.changes.length > 0) {
          unsettled.reset();
          yield* await rideOut(() => this.changed(principal, from, batch, query), signal);
        } else if (batch.hasUnsettled) await unsettled.wait(signal);
        else await bell.wait(this.database.recheckMs, signal);
      }
    } finally {
      off();
    }
  }

  /** Subscribers that ask for the same of the same changes share the read, and the jobs. */
  private changed(
    principal: Principal,
    from: OutboxPosition,
    { changes, end }: OutboxBatch,
    query: JobQuery,
  ): Promise<Job[]> {
    const ids = [...new Set(changes.map(({ jobId }) => jobId))];
    const key = JSON.stringify([principal.tenant, from, end, query]);
    return this.reads.read(key, () => this.repository.findMatching(principal, ids, query));
  }
}

/** All of the job but who runs it, which no follower is told. */
function versionOf({ owner: _, epoch: __, ...seen }: Job): string {
  return JSON.stringify(seen);
}
