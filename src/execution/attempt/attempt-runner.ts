import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import type { ChildSignal } from '../../common/async/abort.js';
import { childSignal, settledWithin } from '../../common/async/abort.js';
import { retry } from '../../common/async/retry.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import { StaleFenceError } from '../../jobs/record/job.errors.js';
import { engineTextOf } from '../../runtime/public-message.js';
import type { StartFailure } from '../../runtime/runtime-provider.js';
import { AnswerWait } from './answer-wait.js';
import { AttemptCleaner } from './attempt-cleaner.js';
import { AttemptJudge } from './attempt-judge.js';
import { AttemptSettler } from './attempt-settler.js';
import type { WatchedEnd } from './attempt-watcher.js';
import { AttemptWatcher, PREVENTED } from './attempt-watcher.js';
import { WorkloadStarter } from './workload-starter.js';

/** How long after its job was cancelled a start is waited for, so that what it has made can be removed at once. */
const START_PATIENCE_MS = 10_000;

/** Of an engine that did not say within its time whether it started the workload. */
const SILENCE: StartFailure = {
  kind: 'unschedulable',
  message: 'The engine did not answer in time.',
  hint: 'GET /health says what is wrong with the engine.',
  retryable: true,
};

/** One attempt's life, from the claim to the final write. */
@Injectable()
export class AttemptRunner {
  constructor(
    private readonly starter: WorkloadStarter,
    private readonly watcher: AttemptWatcher,
    private readonly settler: AttemptSettler,
    private readonly cleaner: AttemptCleaner,
    private readonly judge: AttemptJudge,
    private readonly answers: AnswerWait,
    @Inject(LOG) private readonly log: Log,
  ) {}

  /** Starts a freshly claimed attempt and sees it through. Rejects when this server stops or the job is another's. */
  async run(claim: ClaimedJob, signal: AbortSignal): Promise<void> {
    const own = childSignal(signal);
    try {
      const starting = this.starter.start(claim, own.signal);
      const heard = await this.answers.hear(claim, starting, signal);
      if ('answer' in heard) return await this.goOn(claim, heard.answer, signal);
      if ('prevented' in heard && heard.prevented === 'cancel')
        return await this.cancelStart(claim, starting, own);
      // The sweeper removes what was started all the same: its script begins no more, or has ended.
      own.abort(new Error('the engine was silent for too long'));
      if ('end' in heard) return await this.conclude(claim, undefined, heard.end, signal);
      await this.settler.settle(claim, await this.judge.judgeStart(claim, SILENCE), signal);
    } finally {
      own.release();
    }
  }

  private async goOn(claim: ClaimedJob, started: string | StartFailure, signal: AbortSignal): Promise<void> {
    if (typeof started === 'string') return this.watch(claim, started, signal, true);
    await this.settler.settle(claim, await this.judge.judgeStart(claim, started), signal);
    await this.cleaner.clean(claim, undefined, undefined, signal, true);
  }

  /** The job is cancelled whatever its engine does. What was started all the same is taken away, if that is heard of soon. */
  private async cancelStart(
    claim: ClaimedJob,
    starting: ReturnType<WorkloadStarter['start']>,
    own: ChildSignal,
  ): Promise<void> {
    await this.concludePrevented(claim, own.signal);
    const started = starting.catch(() => undefined);
    await settledWithin(started, START_PATIENCE_MS);
    own.abort(new Error('the job was cancelled'));
    const answer = await started;
    // Without an answer its folders stay, with the order withdrawn: the engine may still come to start it.
    if (answer === undefined) return;
    const handle = typeof answer === 'string' ? answer : undefined;
    await this.cleaner.clean(claim, handle, undefined, own.signal, true);
  }

  /** Ends a job that was cancelled and whose script will never begin. */
  async concludePrevented(claim: ClaimedJob, signal: AbortSignal): Promise<void> {
    const end = { exit: PREVENTED, stoppedFor: 'cancel', endedAtMs: Date.now(), watchedMs: 0 } as const;
    await this.settler.settle(claim, await this.judge.judge(claim, end, signal), signal);
  }

  /**
   * Sees a workload through to its end, whether this server started it or an earlier one. After a fault on the way (a
   * disk that cannot be read, say) the workload is watched again, so that no job is left unattended.
   */
  watch(claim: ClaimedJob, handle: string, signal: AbortSignal, isOwnStart = false): Promise<void> {
    let end: WatchedEnd | undefined;
    const work = async (): Promise<void> => {
      // Kept over repetitions: once the workload has been removed, another watch would report it as lost.
      end ??= await this.watcher.watch(claim, handle, signal);
      await this.conclude(claim, handle, end, signal, isOwnStart);
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
    isOwnStart = false,
  ): Promise<void> {
    const said = engineTextOf(end.exit);
    // The engine's own words go to the log only; the job's owner gets a public message.
    if (said)
      this.log.info(
        { jobId: claim.job.id, kind: end.exit.kind, said: said.message, machine: said.machine },
        'a workload did not end by itself',
      );
    let verdict = await this.judge.judge(claim, end, signal);
    const isAgain = verdict.end.attempt.retryable;
    if (isAgain) {
      await this.cleaner.retire(claim, handle, end.exit);
      verdict = await this.judge.judge(claim, end, signal);
    }
    await this.settler.settle(claim, verdict, signal);
    if (!isAgain) await this.cleaner.clean(claim, handle, end.told?.ended, signal, isOwnStart);
  }
}
