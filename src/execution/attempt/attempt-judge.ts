import { Inject, Injectable } from '@nestjs/common';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { SYSTEM } from '../../common/principal.js';
import { LimitsConfig } from '../../config/parts/limits-config.js';
import { JobRepository } from '../../jobs/store/job.repository.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { SettledScript } from './attempt-settler.js';
import type { WatchedEnd } from './attempt-watcher.js';
import type { Outcome, StopReason } from '../outcome/outcome.js';
import { decideOutcome } from '../outcome/outcome.js';
import { contradicts, isOverdue, withUnsignedHint } from '../outcome/signed-end.js';
import type { ScriptTraces } from './script-evidence.js';
import { ScriptEvidence } from './script-evidence.js';

/** Gathers the evidence of how an attempt ended, and decides. */
@Injectable()
export class AttemptJudge {
  constructor(
    private readonly evidence: ScriptEvidence,
    private readonly jobs: JobRepository,
    private readonly config: LimitsConfig,
    @Inject(LOG) private readonly log: Log,
  ) {}

  async judge(claim: ClaimedJob, end: WatchedEnd): Promise<{ outcome: Outcome; script: SettledScript }> {
    const { job } = claim;
    const traces = await this.evidence.gather(claim);
    const { ended, started } = traces;
    const startedAtMs = traces.startedAtMs ?? claim.attempt.startedAtMs ?? undefined;
    const { timeoutSeconds } = job;
    const { deadlineInMs } = claim;
    this.noteContradiction(claim, end, traces);
    const outcome = decideOutcome({
      exit: end.exit,
      stoppedFor: end.stoppedFor ?? (await this.stoppedBefore(job.id, traces)),
      ended,
      started,
      isSigned: traces.trust === 'signed',
      isOverdue: hasUntoldEnd(traces) && isOverdue({ ...end, timeoutSeconds, startedAtMs, deadlineInMs }),
      timeoutSeconds,
      memoryMb: job.memoryMb,
      maxOutputBytes: this.config.MAX_OUTPUT_BYTES,
    });
    return {
      outcome: traces.trust === 'unsigned' ? withUnsignedHint(outcome) : outcome,
      script: {
        startedAtMs: startedAtMs ?? hiddenStartMs(traces, end),
        ended,
        endedAtMs: end.endedAtMs,
        logBytes: traces.logBytes,
      },
    };
  }

  /** A server before this one may have passed a cancel on and died before it saw the end. */
  private async stoppedBefore(jobId: string, traces: ScriptTraces): Promise<StopReason | undefined> {
    if (!traces.ended?.stopped && !hasUntoldEnd(traces)) return undefined;
    const job = await this.jobs.find(SYSTEM.dispatcher, jobId);
    return job?.isCancelRequested ? 'cancel' : undefined;
  }

  private noteContradiction({ job }: ClaimedJob, { exit }: WatchedEnd, { ended, trust }: ScriptTraces): void {
    if (trust !== 'signed' || !ended || !contradicts(exit, ended)) return;
    const { exitCode, signal } = ended;
    this.log.info(
      {
        jobId: job.id,
        engine: exit.kind,
        code: 'exitCode' in exit ? exit.exitCode : undefined,
        exitCode,
        signal,
      },
      'the engine does not tell the end that the runner signed; the runner is believed',
    );
  }
}

/** A script that began, and whose runner could not say how it ended, or was kept from it. */
function hasUntoldEnd({ trust, started, ended }: ScriptTraces): boolean {
  return trust === 'signed' && started && ended === undefined;
}

/** When a script began, about, that has removed all that told of it, milliseconds since 1970. */
function hiddenStartMs({ trust, started, ended }: ScriptTraces, end: WatchedEnd): number | undefined {
  if (trust !== 'signed' || !started) return undefined;
  return ended ? ended.atMs - ended.wallSeconds * 1000 : end.endedAtMs;
}
