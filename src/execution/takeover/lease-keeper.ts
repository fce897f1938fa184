import { Inject, Injectable } from '@nestjs/common';
import { sleep } from '../../common/async/abort.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { Database } from '../../database/database.js';
import { ClaimRepository } from '../../jobs/store/claim.repository.js';
import { JobEvents } from '../../jobs/record/job-events.js';
import { LEASE_MS, RENEW_MS, Replica } from '../replica.js';
import { RunningAttempts } from '../attempt/running-attempts.js';

/** How often cancels that other replicas accepted are looked for. */
const LOOK_MS = 1_000;

/** Renews this replica's leases, and finds cancels that other replicas accepted. Needed on PostgreSQL only. */
@Injectable()
export class LeaseKeeper {
  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly claims: ClaimRepository,
    private readonly replica: Replica,
    private readonly running: RunningAttempts,
    private readonly events: JobEvents,
    private readonly database: Database,
  ) {}

  /** Abandons the jobs that others have taken over, which happens to a server that was paused for longer than its lease. */
  private async renew(): Promise<void> {
    const held = this.running.jobIds;
    const renewed = new Set(await this.claims.renewLeases(this.replica.id, held, LEASE_MS));
    const gone = held.filter((id) => !renewed.has(id) && this.running.has(id));
    for (const id of await this.claims.takenFrom(this.replica.id, gone)) this.running.abandon(id);
  }

  /** Runs until `signal` aborts. Never rejects. */
  async keep(signal: AbortSignal): Promise<void> {
    let renewedAtMs = performance.now();
    while (this.database.isShared && !signal.aborted) {
      await sleep(LOOK_MS, signal);
      if (this.running.count === 0) continue;
      try {
        if (performance.now() - renewedAtMs >= RENEW_MS) {
          // Measured before the request: the time until the answer is part of the lease.
          const askedAtMs = performance.now();
          await this.renew();
          renewedAtMs = askedAtMs;
        }
        for (const jobId of await this.claims.cancelRequested(this.replica.id))
          this.events.publishLocal(jobId);
      } catch (error) {
        this.log.warn({ err: messageOf(error) }, 'leases could not be renewed; trying again');
      }
    }
  }
}
