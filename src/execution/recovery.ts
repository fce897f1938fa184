import { Inject, Injectable } from '@nestjs/common';
import { Backoff } from '../common/abort.js';
import { messageOf } from '../common/app-error.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import type { ClaimedJob } from '../jobs/claimed-job.js';
import { ClaimRepository } from '../jobs/claim.repository.js';
import type { RuntimeProvider } from '../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../runtime/runtime-provider.js';
import { Workspaces } from '../workspace/workspaces.js';
import type { Outcome } from './outcome.js';
import { RecoveryWork } from './recovery-work.js';
import { LEASE_MS, Replica } from './replica.js';

/**
 * Takes over the live jobs of servers that are gone. A workload outlives its server, so most are simply watched on.
 * Without a stored handle the workload is looked for by its name; only proof that no start was ever asked for (the order
 * was not even written) permits another attempt, and everything else that is absent is LOST.
 */
@Injectable()
export class Recovery {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly claims: ClaimRepository,
    private readonly workspaces: Workspaces,
    private readonly work: RecoveryWork,
    private readonly replica: Replica,
  ) {}

  /** Adopts what nobody looks after. Resolves when all of it is being watched. */
  async adoptAll(signal: AbortSignal): Promise<void> {
    for (const job of await this.claims.adoptable(this.replica.id)) {
      const claim = await this.claims.adopt(job, this.replica.id, LEASE_MS);
      if (!claim) continue;
      this.log.info(
        { jobId: job.id, attempt: claim.fence.attempt, epoch: claim.fence.epoch },
        'adopted a job',
      );
      this.work.launch(claim, () => this.resume(claim, signal), signal);
    }
  }

  private async resume(claim: ClaimedJob, signal: AbortSignal): Promise<void> {
    if (claim.attempt.scope !== this.runtime.scope)
      return this.work.settle(claim, otherScope(claim, this.runtime), signal);
    const handle = claim.attempt.handle ?? (await this.findHandle(claim, signal));
    if (handle !== undefined) return this.work.watch(claim, handle, signal);
    const wasOrdered = await this.workspaces.hasOrder(claim.attempt.workspace);
    await this.work.settle(claim, wasOrdered ? VANISHED : NEVER_ORDERED, signal);
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

const VANISHED: Outcome = {
  state: 'LOST',
  reason: 'RUNTIME_LOST',
  message: 'The server stopped while the job was being started, and its workload is not there.',
  exitCode: null,
  signal: null,
  hint: null,
  retryable: false,
};

const NEVER_ORDERED: Outcome = {
  ...VANISHED,
  state: 'FAILED',
  reason: 'START_FAILED',
  message: 'The server stopped before the job was started.',
  retryable: true,
};

function otherScope(claim: ClaimedJob, runtime: RuntimeProvider): Outcome {
  const message = `The job ran on ${claim.attempt.runtime}, which this server (${runtime.name}) cannot reach.`;
  return { ...VANISHED, message, hint: 'The engine, the host or its boot changed while the job ran.' };
}
