import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import { Clock } from '../../common/clock.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { JobResult } from '../../jobs/store/attempt.repository.js';
import { SpoolEnds } from '../../logs/spool-ends.js';
import type { KeptOutputs, OutputStore } from '../../outputs/store/output-store.js';
import { OUTPUT_STORE } from '../../outputs/store/output-store.js';
import type { AttemptEnd } from '../outcome/decide-end.js';
import type { Outcome } from '../outcome/outcome.js';
import type { SettledScript, Verdict } from './attempt-judge.js';
import { JobRecorder } from './job-recorder.js';

const NO_OUTPUTS: KeptOutputs = { files: [], skipped: [], usedBytes: 0 };

/** Writes what became of an attempt: the job's final state, or another attempt. */
@Injectable()
export class AttemptSettler {
  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly clock: Clock,
    @Inject(OUTPUT_STORE) private readonly outputs: OutputStore,
    private readonly recorder: JobRecorder,
    private readonly spools: SpoolEnds,
  ) {}

  /** The workload is dead, or was never made. */
  async settle(
    claim: ClaimedJob,
    { end, endIfCancelled, script }: Verdict,
    signal: AbortSignal,
  ): Promise<void> {
    const outputs = await this.outputsOf(claim, script, signal);
    const nowMs = this.clock.nowMs();
    const logBytes = script?.logBytes ?? (await this.spools.read(claim.attempt.workspace)).sizeBytes;
    const toResult = (each: AttemptEnd): JobResult =>
      toJobResult(finalOutcome(each), script, outputs, logBytes, nowMs);
    const delayMs = 'waitsMs' in end.job ? end.job.waitsMs : undefined;
    const result = toResult(end);
    this.log.info(
      { jobId: claim.job.id, attempt: claim.fence.attempt, reason: result.reason, retryInMs: delayMs },
      'attempt ended',
    );
    if (delayMs === undefined) return this.recorder.finish(claim.fence, result, signal);
    const again = { result, delayMs, ifCancelled: toResult(endIfCancelled) };
    await this.recorder.requeue(claim.fence, again, signal);
  }

  private async outputsOf(
    claim: ClaimedJob,
    script: SettledScript | undefined,
    signal: AbortSignal,
  ): Promise<KeptOutputs> {
    if (script?.startedAtMs === undefined) return NO_OUTPUTS;
    if (!script.isOver)
      return { ...NO_OUTPUTS, skipped: [{ path: '.', why: 'the script may still be writing' }] };
    return this.keepOutputs(claim, signal);
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
}

/** What the attempt is stored with: the end of its job where it is one. */
function finalOutcome({ attempt, job }: AttemptEnd): Outcome {
  return 'ends' in job ? job.ends : attempt;
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
