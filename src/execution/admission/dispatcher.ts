import { Inject, Injectable } from '@nestjs/common';
import { Bell } from '../../common/async/bell.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { Database } from '../../database/database.js';
import { JobAdmission } from '../../jobs/job-admission.js';
import { JobEvents } from '../../jobs/record/job-events.js';
import { JobQueue } from './job-queue.js';
import { JobSlots } from './job-slots.js';

const AFTER_ERROR_MS = 1_000;
const TAKEN_MS = 100;

/** Takes waiting jobs whenever there is a free slot and the runtime answers. */
@Injectable()
export class Dispatcher {
  private readonly bell = new Bell();

  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly queue: JobQueue,
    private readonly slots: JobSlots,
    private readonly admission: JobAdmission,
    private readonly events: JobEvents,
    private readonly database: Database,
  ) {
    events.onQueued(() => this.bell.ring());
  }

  /** Runs until `signal` aborts. Never rejects. */
  async dispatch(signal: AbortSignal): Promise<void> {
    this.slots.open(() => this.bell.ring(), signal);
    const stopAdmitting = this.admission.offer(this.slots);
    while (!signal.aborted) await this.bell.wait(await this.takeJobs(), signal);
    stopAdmitting();
  }

  /** Claims what fits and launches it; returns how long to wait before looking again, milliseconds. */
  private async takeJobs(): Promise<number> {
    const lookMs = this.database.recheckMs;
    try {
      const { free } = this.slots;
      if (free === 0) return lookMs;
      const claims = await this.slots.fill((slots) => this.queue.claim(slots));
      for (const { job } of claims) this.events.publishLocal(job.id);
      if (claims.length === free) return lookMs;
      const nextMs = (await this.queue.nextInMs()) ?? lookMs;
      // Jobs that are due but could not be claimed are being taken by another replica at this moment.
      return Math.min(lookMs, claims.length === 0 ? Math.max(nextMs, TAKEN_MS) : nextMs);
    } catch (error) {
      this.log.error({ err: messageOf(error) }, 'the queue could not be read; trying again');
      return AFTER_ERROR_MS;
    }
  }
}
