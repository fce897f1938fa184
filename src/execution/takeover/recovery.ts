import { Inject, Injectable } from '@nestjs/common';
import { Backoff } from '../../common/abort.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import type { JobRow } from '../../database/tables.js';
import type { ClaimedJob } from '../../jobs/store/claimed-job.js';
import { ClaimRepository } from '../../jobs/store/claim.repository.js';
import type { RuntimeProvider } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { AdoptionPolicy } from './adoption-policy.js';
import type { Outcome } from '../outcome/outcome.js';
import { RecoveryWork } from './recovery-work.js';
import { LEASE_MS, Replica } from '../replica.js';

/**
 * Takes over the live jobs of servers that are gone. A workload outlives its server, so most are simply watched on.
 * A worker may never have been given the job that was committed to it: its order is withdrawn, which changes nothing for
 * one that runs it. Without a stored handle the workload is looked for by its name. When it is not there its order is
 * withdrawn, so that a server that was only paused cannot start it any more, and it is looked for once again; what is
 * absent then and has an empty spool never ran and never will, which permits another attempt. Everything else that is
 * absent is LOST.
 */
@Injectable()
export class Recovery {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly claims: ClaimRepository,
    private readonly work: RecoveryWork,
    private readonly replica: Replica,
    private readonly policy: AdoptionPolicy,
  ) {}

  /** Adopts what nobody looks after. Resolves when all of it is being watched. */
  async adoptAll(signal: AbortSignal): Promise<void> {
    const candidates = await this.claims.adoptable(this.replica.id, this.policy.predecessors);
    this.policy.looked();
    for (const candidate of candidates.filter((each) => this.policy.mayAdopt(each))) {
      const claim = await this.adopt(candidate.job);
      if (!claim) continue;
      this.log.info(
        { jobId: claim.job.id, attempt: claim.fence.attempt, epoch: claim.fence.epoch },
        'adopted a job',
      );
      this.work.launch(claim, (own) => this.resume(claim, own), signal);
    }
  }

  /** A row that a vanished server still holds must not keep the others from being adopted. */
  private async adopt(job: JobRow): Promise<ClaimedJob | undefined> {
    try {
      return await this.claims.adopt(job, this.replica.id, LEASE_MS);
    } catch (error) {
      this.log.warn({ jobId: job.id, err: messageOf(error) }, 'a job could not be adopted; trying again');
      return undefined;
    }
  }

  private async resume(claim: ClaimedJob, signal: AbortSignal): Promise<void> {
    const { handle, scope } = claim.attempt;
    if (scope !== this.runtime.scope) return this.resumeElsewhere(claim, signal);
    await this.work.withdrawFromWorker(claim);
    const found = handle ?? (await this.findHandle(claim, signal));
    if (found !== undefined) return this.work.watch(claim, found, signal);
    await this.work.withdraw(claim);
    const late = await this.findHandle(claim, signal);
    if (late !== undefined) return this.work.watch(claim, late, signal);
    await this.work.conclude(claim, VANISHED, signal);
  }

  /** Where a scope has ended the spool tells whether the script ran; where it cannot be reached nothing does. */
  private async resumeElsewhere(claim: ClaimedJob, signal: AbortSignal): Promise<void> {
    const { runtime, scope } = claim.attempt;
    if (this.runtime.isGone(scope)) return this.work.conclude(claim, HOST_RESTARTED, signal);
    await this.work.withdraw(claim);
    await this.work.settle(claim, outOfReach(runtime, this.runtime.name), signal);
  }

  /** An engine that is away says nothing about its workloads: it is waited for. */
  private async findHandle(claim: ClaimedJob, signal: AbortSignal): Promise<string | undefined> {
    const backoff = new Backoff(500, 10_000);
    for (;;) {
      try {
        const workloads = await this.runtime.list(signal);
        return workloads.find((workload) => workload.name === claim.attempt.workload)?.handle;
      } catch (error) {
        signal.throwIfAborted();
        this.log.warn(
          { jobId: claim.job.id, err: messageOf(error) },
          'the engine cannot be asked for a workload; trying again',
        );
        await backoff.wait(signal);
        signal.throwIfAborted();
      }
    }
  }
}

const VANISHED = 'The server stopped while the job was being started, and its workload is not there.';
const HOST_RESTARTED = 'The host was restarted while the job ran.';

function outOfReach(theirs: string, ours: string): Outcome {
  return {
    state: 'LOST',
    reason: 'RUNTIME_LOST',
    message: `The job ran on ${theirs}, which this server (${ours}) cannot reach, and no other server came back.`,
    exitCode: null,
    signal: null,
    hint: 'The engine, the host or its boot changed while the job ran.',
    retryable: false,
  };
}
