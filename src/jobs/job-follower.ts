import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import type { JobRow } from '../database/tables.js';
import { JobEvents } from './job-events.js';
import { JobService } from './job.service.js';
import type { JobFilter } from './job.repository.js';
import { JobRepository } from './job.repository.js';
import type { JobState } from './job-state.js';
import { isTerminal } from './job-state.js';
import { toJobModel } from './to-job-model.js';

/** How often the database is asked although nothing was heard: other replicas' changes raise no event here. */
const RECHECK_SHARED_MS = 500;
const RECHECK_MS = 10_000;
/** Changed jobs that one follower of all jobs may be behind by; beyond it the oldest news is dropped. */
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
  async *follow(jobId: string, signal: AbortSignal): AsyncGenerator<JobRow, void, undefined> {
    let last = '';
    for (;;) {
      const inbox = this.listen((raise) => this.events.onJob(jobId, raise), signal);
      try {
        const job = await this.jobs.get(jobId);
        // Not the whole row: a renewed lease is no news.
        const version = JSON.stringify(toJobModel(job));
        if (version !== last) yield job;
        last = version;
        if (isTerminal(job.state as JobState)) return;
        await inbox.arrived;
      } finally {
        inbox.stop();
      }
      if (signal.aborted) return;
    }
  }

  /** Every job that matches, at each of its changes from now on; coalesced while the reader is busy. */
  async *followAll(filter: JobFilter, signal: AbortSignal): AsyncGenerator<JobRow, void, undefined> {
    const changed = new Set<string>();
    let raise = (): void => undefined;
    const off = this.events.onAny((jobId) => {
      changed.delete(jobId);
      changed.add(jobId);
      if (changed.size > MAX_PENDING) changed.delete(changed.values().next().value ?? '');
      raise();
    });
    try {
      while (!signal.aborted) {
        const inbox = this.listen((wake) => ((raise = wake), () => undefined), signal);
        if (changed.size === 0) await inbox.arrived;
        inbox.stop();
        const ids = [...changed].slice(0, 100);
        ids.forEach((id) => changed.delete(id));
        for (const job of ids.length > 0 ? await this.repository.findMatching(ids, filter) : []) yield job;
      }
    } finally {
      off();
    }
  }

  private listen(
    on: (raise: () => void) => () => void,
    signal: AbortSignal,
  ): { arrived: Promise<void>; stop: () => void } {
    let stop = (): void => undefined;
    const arrived = new Promise<void>((resolve) => {
      const off = on(resolve);
      const timer = setTimeout(resolve, this.database.isShared ? RECHECK_SHARED_MS : RECHECK_MS).unref();
      const onAbort = (): void => resolve();
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) resolve();
      stop = () => {
        off();
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
    });
    return { arrived, stop: () => stop() };
  }
}
