import { Injectable } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import type { ClaimedJob } from '../jobs/claimed-job.js';
import { SpoolEnds } from '../logs/spool-ends.js';
import type { SettledScript } from './attempt-settler.js';
import type { WatchedEnd } from './attempt-watcher.js';
import type { Outcome } from './outcome.js';
import { decideOutcome } from './outcome.js';

/** Gathers the evidence of how an attempt ended, and decides. */
@Injectable()
export class AttemptJudge {
  constructor(
    private readonly spools: SpoolEnds,
    private readonly config: AppConfig,
  ) {}

  async judge(
    { job, attempt }: ClaimedJob,
    end: WatchedEnd,
  ): Promise<{ outcome: Outcome; script: SettledScript }> {
    const endedAtMs = Date.now();
    const startedAtMs = await this.spools.startedAtMs(attempt.workspace);
    const ended = await this.spools.ended(attempt.workspace);
    const outcome = decideOutcome({
      ...end,
      ended,
      started: startedAtMs !== undefined || attempt.started_at !== null,
      timeoutSeconds: job.timeout_seconds,
      memoryMb: job.memory_mb,
      maxOutputBytes: this.config.MAX_OUTPUT_BYTES,
    });
    return {
      outcome,
      script: { startedAtMs: startedAtMs ?? attempt.started_at ?? undefined, ended, endedAtMs },
    };
  }
}
