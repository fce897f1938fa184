import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import { Clock } from '../../common/clock.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { SYSTEM } from '../../common/principal.js';
import type { JobResult } from '../../jobs/store/attempt.repository.js';
import type { ClaimedJob, Job } from '../../jobs/record/job.js';
import { JobRepository } from '../../jobs/store/job.repository.js';
import type { EndedFrame } from '../../runner/ended.js';
import { SpoolEnds } from '../../logs/spool-ends.js';
import type { KeptOutputs, OutputStore } from '../../outputs/store/output-store.js';
import { OUTPUT_STORE } from '../../outputs/store/output-store.js';
import { JobRecorder } from './job-recorder.js';
import type { Outcome } from '../outcome/outcome.js';
import { cancelledBefore } from '../outcome/outcome.js';
import { retryDelayMs } from '../outcome/retry-policy.js';

/** What is known about an attempt's script when it is settled. */
export interface SettledScript {
  startedAtMs: number | undefined;
  ended: EndedFrame | undefined;
  /** When this server saw the workload's end, milliseconds since 1970. */
  endedAtMs: number;
  /** Final size of its log. */
  logBytes: number;
}

const NO_OUTPUTS: KeptOutputs = { files: [], skipped: [], usedBytes: 0 };

/** Writes what became of an attempt: the job's final state, or another attempt. */
@Injectable()
export class AttemptSettler {
  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly clock: Clock,
    private readonly jobs: JobRepository,
    @Inject(OUTPUT_STORE) private readonly outputs: OutputStore,
    private readonly recorder: JobRecorder,
    private readonly spools: SpoolEnds,
  ) {}

  /** The workload is dead, or was never made. */
  async settle(
    claim: ClaimedJob,
    outcome: Outcome,
    script: SettledScript | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const outputs = script?.startedAtMs === undefined ? NO_OUTPUTS : await this.keepOutputs(claim, signal);
    const nowMs = this.clock.nowMs();
    const { final, delayMs } = await this.decide(claim, outcome, script?.startedAtMs !== undefined);
    const logBytes = script?.logBytes ?? (await this.spools.read(claim.attempt.workspace)).sizeBytes;
    const result = toJobResult(final, script, outputs, logBytes, nowMs);
    this.log.info(
      { jobId: claim.job.id, attempt: claim.fence.attempt, reason: final.reason, retryInMs: delayMs },
      'attempt ended',
    );
    if (delayMs === undefined) await this.recorder.finish(claim.fence, result, signal);
    else await this.recorder.requeue(claim.fence, result, delayMs, signal);
  }

  private async keepOutputs(claim: ClaimedJob, signal: AbortSignal): Promise<KeptOutputs> {
    try {
      return await this.outputs.keep(claim.attempt.workspace, signal);
    } catch (error) {
      // This server stops: the next one keeps the outputs, from the beginning.
      signal.throwIfAborted();
      this.log.error({ jobId: claim.job.id, err: messageOf(error) }, 'outputs could not be kept');
      return { ...NO_OUTPUTS, skipped: [{ path: '.', why: 'the outputs could not be read' }] };
    }
  }

  /** What the attempt's outcome means for the job: its end, or another attempt after `delayMs`. */
  private async decide(
    claim: ClaimedJob,
    outcome: Outcome,
    thisOneStarted: boolean,
  ): Promise<{ final: Outcome; delayMs?: number }> {
    if (outcome.state === 'SUCCEEDED') return { final: outcome };
    const job = await this.jobs.find(SYSTEM.dispatcher, claim.job.id);
    if (!job) return { final: outcome };
    if (job.isCancelRequested)
      return { final: outcome.retryable && !thisOneStarted ? cancelledBefore() : outcome };
    return { final: outcome, delayMs: await this.retryDelayMs(job, claim, outcome, thisOneStarted) };
  }

  private async retryDelayMs(
    job: Job,
    claim: ClaimedJob,
    outcome: Outcome,
    thisOneStarted: boolean,
  ): Promise<number | undefined> {
    const attempts = await this.jobs.attemptsOf(SYSTEM.dispatcher, job.id);
    const startedBefore = attempts.filter(
      (each) => each.number !== claim.fence.attempt && each.startedAtMs !== null,
    ).length;
    const started = startedBefore + (thisOneStarted ? 1 : 0);
    return retryDelayMs(outcome, {
      started,
      notStarted: attempts.length - started,
      thisOneStarted,
      retries: job.retries,
    });
  }
}

function toJobResult(
  outcome: Outcome,
  script: SettledScript | undefined,
  outputs: KeptOutputs,
  logBytes: number,
  nowMs: number,
): JobResult {
  const ended = script?.ended;
  return {
    state: outcome.state,
    reason: outcome.reason,
    message: outcome.message,
    hint: outcome.hint,
    exitCode: outcome.exitCode,
    signal: outcome.signal,
    startedAtMs: script?.startedAtMs === undefined ? null : Math.round(script.startedAtMs),
    endedAtMs: script ? Math.round(ended?.atMs ?? script.endedAtMs) : null,
    finishedAtMs: nowMs,
    wallMs: ended ? Math.round(ended.wallSeconds * 1000) : null,
    cpuMs: ended ? Math.round(ended.cpuSeconds * 1000) : null,
    peakMemoryBytes: ended?.maxRssBytes ?? null,
    logDroppedBytes: ended?.droppedBytes ?? 0,
    storedBytes: outputs.usedBytes + logBytes,
    outputs,
  };
}
