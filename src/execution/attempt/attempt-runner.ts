import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { retry } from '../../common/async/retry.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import { StaleFenceError } from '../../jobs/record/job.errors.js';
import { engineTextOf } from '../../runtime/public-message.js';
import { AttemptCleaner } from './attempt-cleaner.js';
import { AttemptJudge } from './attempt-judge.js';
import { AttemptSettler } from './attempt-settler.js';
import type { WatchedEnd } from './attempt-watcher.js';
import { AttemptWatcher } from './attempt-watcher.js';
import { WorkloadStarter } from './workload-starter.js';

/** One attempt's life, from the claim to the final write. */
@Injectable()
export class AttemptRunner {
  constructor(
    private readonly starter: WorkloadStarter,
    private readonly watcher: AttemptWatcher,
    private readonly settler: AttemptSettler,
    private readonly cleaner: AttemptCleaner,
    private readonly judge: AttemptJudge,
    @Inject(LOG) private readonly log: Log,
  ) {}

  /** Starts a freshly claimed attempt and sees it through. Rejects when this server stops or the job is another's. */
  async run(claim: ClaimedJob, signal: AbortSignal): Promise<void> {
    const started = await this.starter.start(claim, signal);
    if (typeof started !== 'string') {
      await this.settler.settle(claim, await this.judge.judgeStart(claim, started), signal);
      return this.cleaner.clean(claim, undefined, undefined, signal);
    }
    await this.watch(claim, started, signal);
  }

  /**
   * Sees a workload through to its end, whether this server started it or an earlier one. After a fault on the way (a
   * disk that cannot be read, say) the workload is watched again, so that no job is left unattended.
   */
  watch(claim: ClaimedJob, handle: string, signal: AbortSignal): Promise<void> {
    let end: WatchedEnd | undefined;
    const work = async (): Promise<void> => {
      // Kept over repetitions: once the workload has been removed, another watch would report it as lost.
      end ??= await this.watcher.watch(claim, handle, signal);
      await this.conclude(claim, handle, end, signal);
    };
    return retry(
      work,
      {
        firstMs: 1_000,
        maxMs: 30_000,
        isFinal: (error) => error instanceof StaleFenceError,
        onFailure: (error) =>
          this.log.error(
            { jobId: claim.job.id, err: messageOf(error), stack: (error as Error).stack },
            'watching a job failed; trying again',
          ),
      },
      signal,
    );
  }

  /**
   * Settles an attempt whose workload has ended or is gone. Before another attempt is made, this one is retired, so that
   * no server can start it any more; then it is judged again, since its script may have begun meanwhile.
   */
  async conclude(
    claim: ClaimedJob,
    handle: string | undefined,
    end: WatchedEnd,
    signal: AbortSignal,
  ): Promise<void> {
    const said = engineTextOf(end.exit);
    // The engine's own words go to the log only; the job's owner gets a public message.
    if (said)
      this.log.info(
        { jobId: claim.job.id, kind: end.exit.kind, said: said.message, machine: said.machine },
        'a workload did not end by itself',
      );
    let verdict = await this.judge.judge(claim, end);
    const isAgain = verdict.end.attempt.retryable;
    if (isAgain) {
      await this.cleaner.retire(claim, handle, end.exit);
      verdict = await this.judge.judge(claim, end);
    }
    await this.settler.settle(claim, verdict, signal);
    if (!isAgain) await this.cleaner.clean(claim, handle, end.told, signal);
  }
}
