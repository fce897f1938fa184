import { Inject, Injectable } from '@nestjs/common';
import { Bell } from '../../common/bell.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { Database } from '../../database/database.js';
import type { ClaimedJob } from '../../jobs/store/claimed-job.js';
import { JobEvents } from '../../jobs/record/job-events.js';
import type { Store } from '../../jobs/job-places.js';
import { JobPlaces } from '../../jobs/job-places.js';
import type { StoredJob } from '../../jobs/store/job.repository.js';
import { RuntimeHealthMonitor } from '../../runtime/runtime-health.js';
import { AttemptRunner } from '../attempt/attempt-runner.js';
import { JobQueue } from './job-queue.js';
import { RunningAttempts } from '../attempt/running-attempts.js';

const AFTER_ERROR_MS = 1_000;
const TAKEN_MS = 100;

/** Takes waiting jobs whenever there is a free place and the runtime answers. */
@Injectable()
export class Dispatcher {
  private readonly bell = new Bell();

  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly queue: JobQueue,
    private readonly running: RunningAttempts,
    private readonly runner: AttemptRunner,
    private readonly health: RuntimeHealthMonitor,
    private readonly places: JobPlaces,
    private readonly events: JobEvents,
    private readonly database: Database,
  ) {
    const ring = (): void => this.bell.ring();
    events.onQueued(ring);
    running.whenFree(ring);
    health.onRecovery(ring);
  }

  /** Runs until `signal` aborts. Never rejects. */
  async dispatch(signal: AbortSignal): Promise<void> {
    const stopAdmitting = this.places.offer((store) => this.admit(store, signal));
    while (!signal.aborted) await this.bell.wait(await this.takeJobs(signal), signal);
    stopAdmitting();
  }

  /** Stores a new job, and launches it at once when there is a place and nobody waits for it. */
  private async admit(store: Store, signal: AbortSignal): Promise<StoredJob> {
    if (signal.aborted || !this.canLaunch) return store();
    this.running.keep(1);
    let claim: ClaimedJob | undefined;
    try {
      const stored = await this.queue.take(store);
      claim = stored.claim;
      return stored;
    } finally {
      this.running.giveBack(1);
      if (claim) this.launch(claim, signal);
      else this.bell.ring(); // the place was not to be had meanwhile
    }
  }

  private launch(claim: ClaimedJob, signal: AbortSignal): void {
    this.running.launch(claim, (own) => this.runner.run(claim, own), signal);
  }

  private get canLaunch(): boolean {
    return this.running.free > 0 && this.health.isHealthy;
  }

  private get lookMs(): number {
    return this.database.recheckMs;
  }

  /** Claims what fits and launches it; returns how long to wait before looking again, milliseconds. */
  private async takeJobs(signal: AbortSignal): Promise<number> {
    try {
      if (!this.canLaunch) return this.lookMs;
      const { free } = this.running;
      const claimed = await this.claim(free, signal);
      if (claimed === free) return this.lookMs;
      const nextMs = (await this.queue.nextInMs()) ?? this.lookMs;
      // What is due and was not to be had is just being taken by another replica.
      return Math.min(this.lookMs, claimed === 0 ? Math.max(nextMs, TAKEN_MS) : nextMs);
    } catch (error) {
      this.log.error({ err: messageOf(error) }, 'the queue could not be read; trying again');
      return AFTER_ERROR_MS;
    }
  }

  /** Claims up to `places` jobs and launches them; returns how many. */
  private async claim(places: number, signal: AbortSignal): Promise<number> {
    this.running.keep(places);
    let claims: ClaimedJob[];
    try {
      claims = await this.queue.claim(places);
    } finally {
      this.running.giveBack(places);
    }
    for (const claim of claims) {
      this.launch(claim, signal);
      this.events.emit(claim.job.id);
    }
    return claims.length;
  }
}
