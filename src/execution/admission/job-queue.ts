import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import type { ClaimedJob } from '../../jobs/store/claimed-job.js';
import { ClaimRepository } from '../../jobs/store/claim.repository.js';
import type { Store } from '../../jobs/job-places.js';
import type { StoredJob } from '../../jobs/store/job.repository.js';
import { StorageSpace } from '../../jobs/retention/storage-space.js';
import { LEASE_MS, Replica } from '../replica.js';
import { StartPlanner } from './start-planner.js';

/** How soon a full disk is looked at again. */
const FULL_DISK_MS = 1_000;

/** The waiting jobs, as this replica takes them. */
@Injectable()
export class JobQueue {
  constructor(
    private readonly claims: ClaimRepository,
    private readonly planner: StartPlanner,
    private readonly replica: Replica,
    private readonly clock: Clock,
    private readonly space: StorageSpace,
  ) {}

  /** None while a disk is full: a job that is started then has no room for its log. */
  async claim(limit: number): Promise<ClaimedJob[]> {
    if (await this.space.refusal()) return [];
    return this.planner.plan((plan) =>
      this.claims.claim(this.replica.id, limit, this.clock.nowMs(), LEASE_MS, plan),
    );
  }

  /** Stores a new job, and takes it when nobody waits before it. */
  async take(store: Store): Promise<StoredJob> {
    return this.planner.plan((plan) => store({ owner: this.replica.id, leaseMs: LEASE_MS, plan }));
  }

  /** How long until the next waiting job may be claimed, milliseconds; undefined when none waits. */
  async nextInMs(): Promise<number | undefined> {
    if (await this.space.refusal()) return FULL_DISK_MS;
    return this.claims.nextAvailableInMs();
  }
}
