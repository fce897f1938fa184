import { Injectable } from '@nestjs/common';
import type { ClaimedJob } from '../jobs/attempt.repository.js';
import { AttemptCleaner } from './attempt-cleaner.js';
import { AttemptJudge } from './attempt-judge.js';
import { AttemptSettler } from './attempt-settler.js';
import { AttemptWatcher } from './attempt-watcher.js';
import { JobRecorder } from './job-recorder.js';
import { WorkloadStarter } from './workload-starter.js';

/** One attempt's life, from the claim to the final write. */
@Injectable()
export class AttemptRunner {
  constructor(
    private readonly starter: WorkloadStarter,
    private readonly watcher: AttemptWatcher,
    private readonly settler: AttemptSettler,
    private readonly recorder: JobRecorder,
    private readonly cleaner: AttemptCleaner,
    private readonly judge: AttemptJudge,
  ) {}

  /** Starts a freshly claimed attempt and sees it through. Rejects when this server stops or the job is another's. */
  async run(claim: ClaimedJob, signal: AbortSignal): Promise<void> {
    const started = await this.starter.start(claim, signal);
    if (typeof started !== 'string') {
      await this.settler.settle(claim, started, undefined, signal);
      return this.cleaner.clean(claim, undefined);
    }
    await this.recorder.saveHandle(claim.fence, started, signal);
    await this.watch(claim, started, signal);
  }

  /** Sees a workload through to its end: one just started, or one that an earlier server started. */
  async watch(claim: ClaimedJob, handle: string, signal: AbortSignal): Promise<void> {
    const end = await this.watcher.watch(claim, handle, signal);
    const { outcome, script } = await this.judge.judge(claim, end);
    await this.settler.settle(claim, outcome, script, signal);
    await this.cleaner.clean(claim, handle);
  }
}
