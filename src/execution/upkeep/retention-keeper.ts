import { Inject, Injectable } from '@nestjs/common';
import { sleep } from '../../common/async/abort.js';
import { messageOf } from '../../common/app-error.js';
import { Clock } from '../../common/clock.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { SYSTEM } from '../../common/principal.js';
import { Database } from '../../database/database.js';
import { JobHolds } from '../../jobs/retention/job-holds.js';
import { JobRemover } from '../../jobs/retention/job-remover.js';
import { RetentionBounds } from '../../jobs/retention/retention-bounds.js';

const EVERY_MS = 60_000;
/** Between two steps the database and the event loop are free for everything else. */
const PAUSE_MS = 20;

/**
 * Deletes finished jobs beyond the bounds, oldest first and in small steps. All replicas do so: each finds the same bound,
 * so none deletes more than one alone would.
 */
@Injectable()
export class RetentionKeeper {
  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly bounds: RetentionBounds,
    private readonly remover: JobRemover,
    private readonly holds: JobHolds,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Runs until `signal` aborts. Never rejects. */
  async keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // First a pause: a server that starts has more urgent things to do.
      await sleep(EVERY_MS * (0.5 + Math.random() / 2), signal);
      try {
        await this.enforce(signal);
      } catch (error) {
        if (!signal.aborted)
          this.log.warn({ err: messageOf(error) }, 'old jobs could not be deleted; trying again later');
      }
    }
  }

  /** Returns how many jobs were deleted. */
  async enforce(signal: AbortSignal): Promise<number> {
    const newest = await this.bounds.newestToDelete(SYSTEM.retention, this.clock.nowMs(), signal);
    let jobs = 0;
    for (let removed = newest ? 1 : 0; newest && removed > 0 && !signal.aborted; jobs += removed) {
      removed = await this.remover.removeOldest(SYSTEM.retention, newest, () => this.holds.ids());
      await sleep(PAUSE_MS, signal);
    }
    if (jobs > 0) this.log.info({ jobs }, 'deleted old jobs beyond the retention');
    // Also for what deleteJob left free.
    while (!signal.aborted && this.database.file?.vacuumStep()) await sleep(PAUSE_MS, signal);
    return jobs;
  }
}
