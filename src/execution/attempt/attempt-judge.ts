import { Injectable } from '@nestjs/common';
import { SYSTEM } from '../../common/principal.js';
import { LimitsConfig } from '../../config/parts/limits-config.js';
import { JobRepository } from '../../jobs/store/job.repository.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { EndedFrame } from '../../runner/ended.js';
import { SpoolEnds } from '../../logs/spool-ends.js';
import type { SettledScript } from './attempt-settler.js';
import type { WatchedEnd } from './attempt-watcher.js';
import type { Outcome, StopReason } from '../outcome/outcome.js';
import { decideOutcome } from '../outcome/outcome.js';

/** Gathers the evidence of how an attempt ended, and decides. */
@Injectable()
export class AttemptJudge {
  constructor(
    private readonly spools: SpoolEnds,
    private readonly jobs: JobRepository,
    private readonly config: LimitsConfig,
  ) {}

  async judge(
    { job, attempt }: ClaimedJob,
    end: WatchedEnd,
  ): Promise<{ outcome: Outcome; script: SettledScript }> {
    const endedAtMs = Date.now();
    const { startedAtMs, ended, isEmpty, sizeBytes } = await this.spools.read(attempt.workspace);
    const outcome = decideOutcome({
      exit: end.exit,
      stoppedFor: end.stoppedFor ?? (await this.stoppedBefore(job.id, ended)),
      ended,
      started: attempt.startedAtMs !== null || !isEmpty,
      timeoutSeconds: job.timeoutSeconds,
      memoryMb: job.memoryMb,
      maxOutputBytes: this.config.MAX_OUTPUT_BYTES,
    });
    return {
      outcome,
      script: {
        startedAtMs: startedAtMs ?? attempt.startedAtMs ?? undefined,
        ended,
        endedAtMs,
        logBytes: sizeBytes,
      },
    };
  }

  /** A server before this one may have passed a cancel on and died before it saw the end. */
  private async stoppedBefore(jobId: string, ended: EndedFrame | undefined): Promise<StopReason | undefined> {
    if (!ended?.stopped) return undefined;
    const job = await this.jobs.find(SYSTEM.dispatcher, jobId);
    return job?.isCancelRequested ? 'cancel' : undefined;
  }
}
