import { Injectable } from '@nestjs/common';
import { Bell } from '../common/bell.js';
import type { Principal } from '../common/principal.js';
import { Database } from '../database/database.js';
import { rideOut } from '../database/ride-out.js';
import type { Job } from './record/job.js';
import { JobEvents } from './record/job-events.js';
import { JobService } from './job.service.js';
import type { JobQuery } from './store/job.repository.js';
import { JobRepository } from './store/job.repository.js';
import { isTerminal } from './record/job-state.js';

/** How many changed jobs one follower of all jobs may be behind by. Beyond it the oldest change is dropped. */
const MAX_PENDING = 10_000;

/** Jobs as they change. Every value is read from the database, so it is never older than one given before. */
@Injectable()
export class JobFollower {
  constructor(
    private readonly jobs: JobService,
    private readonly repository: JobRepository,
    private readonly events: JobEvents,
    private readonly database: Database,
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

  /** Every job that matches, at each of its changes from now on; coalesced while the reader is busy. */
  async *followAll(
    principal: Principal,
    query: JobQuery,
    signal: AbortSignal,
  ): AsyncGenerator<Job, void, undefined> {
    const changed = new Set<string>();
    const bell = new Bell();
    const off = this.events.onAny((jobId) => {
      changed.delete(jobId);
      changed.add(jobId);
      if (changed.size > MAX_PENDING) changed.delete(changed.values().next().value ?? '');
      bell.ring();
    });
    try {
      while (!signal.aborted) {
        if (changed.size === 0) await bell.wait(this.database.recheckMs, signal);
        const ids = [...changed].slice(0, 100);
        ids.forEach((id) => changed.delete(id));
        if (ids.length === 0) continue;
        for (const job of await rideOut(() => this.repository.findMatching(principal, ids, query), signal))
          yield job;
      }
    } finally {
      off();
    }
  }
}

/** All of the job but who runs it, which no follower is told. */
function versionOf({ owner: _, epoch: __, ...seen }: Job): string {
  return JSON.stringify(seen);
}
