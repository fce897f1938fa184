import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import type { ClaimedJob, Job } from '../../jobs/record/job.js';
import { ClaimRepository } from '../../jobs/store/claim.repository.js';
import { RunningAttempts } from '../attempt/running-attempts.js';
import { LEASE_MS, Replica } from '../replica.js';
import { AdoptionPolicy } from './adoption-policy.js';
import { AttemptResumer } from './attempt-resumer.js';

/** Takes over the live jobs of servers that are gone. */
@Injectable()
export class Recovery {
  /**
   * Owners whose leases need not run out, as a pattern: earlier servers by this replica's name. None once their jobs
   * have been read.
   */
  private predecessors: string | undefined;

  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly claims: ClaimRepository,
    private readonly replica: Replica,
    private readonly policy: AdoptionPolicy,
    private readonly running: RunningAttempts,
    private readonly resumer: AttemptResumer,
  ) {
    this.predecessors = replica.predecessors;
  }

  /** Adopts the live jobs that no server looks after. Resolves when all of them are being watched. */
  async adoptAll(signal: AbortSignal): Promise<void> {
    const candidates = await this.claims.adoptable(this.replica.id, this.predecessors);
    this.predecessors = undefined;
    for (const candidate of candidates.filter((each) => this.policy.mayAdopt(each))) {
      const claim = await this.adopt(candidate.job);
      if (!claim) continue;
      this.log.info(
        { jobId: claim.job.id, attempt: claim.fence.attempt, epoch: claim.fence.epoch },
        'adopted a job',
      );
      this.running.launch(claim, (own) => this.resumer.resume(claim, own), signal);
    }
  }

  /** A failure is logged only: a row that a vanished server still locks must not keep the others from being adopted. */
  private async adopt(job: Job): Promise<ClaimedJob | undefined> {
    try {
      return await this.claims.adopt(job, this.replica.id, LEASE_MS);
    } catch (error) {
      this.log.warn({ jobId: job.id, err: messageOf(error) }, 'a job could not be adopted; trying again');
      return undefined;
    }
  }
}
