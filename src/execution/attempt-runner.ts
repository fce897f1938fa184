import { Inject, Injectable } from '@nestjs/common';
import { Backoff } from '../common/abort.js';
import { messageOf } from '../common/app-error.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import type { ClaimedJob } from '../jobs/claimed-job.js';
import { StaleFenceError } from '../jobs/job.errors.js';
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
    @Inject(LOG) private readonly log: Log,
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

  /**
   * Sees a workload through to its end: one just started, or one that an earlier server started. A fault on the way (a
   * disk that cannot be read, say) must not leave the job without anybody looking after it: it is watched again.
   */
  async watch(claim: ClaimedJob, handle: string, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(1_000, 30_000);
    for (;;) {
      try {
        return await this.watchOnce(claim, handle, signal);
      } catch (error) {
        if (error instanceof StaleFenceError) throw error;
        signal.throwIfAborted();
        this.log.error(
          { jobId: claim.job.id, err: messageOf(error), stack: (error as Error).stack },
          'watching a job failed; trying again',
        );
        await backoff.wait(signal);
        signal.throwIfAborted();
      }
    }
  }

  private async watchOnce(claim: ClaimedJob, handle: string, signal: AbortSignal): Promise<void> {
    const end = await this.watcher.watch(claim, handle, signal);
    const { outcome, script } = await this.judge.judge(claim, end);
    await this.settler.settle(claim, outcome, script, signal);
    await this.cleaner.clean(claim, handle);
  }
}
