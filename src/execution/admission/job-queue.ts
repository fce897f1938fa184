import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import { StorageSpace } from '../../jobs/retention/storage-space.js';
import { ClaimRepository } from '../../jobs/store/claim.repository.js';
import { LEASE_MS, Replica } from '../replica.js';
import type { StartPlan } from './start-planner.js';
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
    const plans: StartPlan[] = [];
    try {
      const claims = await this.claims.claim(
        this.replica.id,
        limit,
        this.clock.nowMs(),
        LEASE_MS,
        (job, spec) => {
          const plan = this.planner.plan(job, spec);
          plans.push(plan);
          return plan.attempt;
        },
      );
      for (const plan of plans) this.planner.commit(plan);
      return claims;
    } catch (error) {
      for (const plan of plans) this.planner.discard(plan);
      throw error;
    }
  }

  /** How long until the next waiting job may be claimed, milliseconds; undefined when none waits. */
  async nextInMs(): Promise<number | undefined> {
    if (await this.space.refusal()) return FULL_DISK_MS;
    return this.claims.nextAvailableInMs();
  }
}
