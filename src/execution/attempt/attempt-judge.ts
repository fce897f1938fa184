import { Injectable } from '@nestjs/common';
import { SYSTEM } from '../../common/principal.js';
import { LimitsConfig } from '../../config/parts/limits-config.js';
import type { ClaimedJob, Job } from '../../jobs/record/job.js';
import { JobRepository } from '../../jobs/store/job.repository.js';
import { SpoolEnds } from '../../logs/spool-ends.js';
import type { EndedFrame } from '../../runner/ended.js';
import type { StartFailure } from '../../runtime/runtime-provider.js';
import type { AttemptEnd, EndEvidence, JobHistory, OutOfReach } from '../outcome/decide-end.js';
import { NO_HISTORY, decideEnd, isDecidedAlone, notStarted } from '../outcome/decide-end.js';
import type { Evidence } from '../outcome/outcome.js';
import type { WatchedEnd } from './attempt-watcher.js';

/** What is known about an attempt's script when it is settled. */
export interface SettledScript {
  startedAtMs: number | undefined;
  ended: EndedFrame | undefined;
  /** When this server saw the workload's end, milliseconds since 1970. */
  endedAtMs: number;
  /** Final size of its log. */
  logBytes: number;
}

export interface Verdict {
  readonly end: AttemptEnd;
  /** The same, if the job is found to have been cancelled when the verdict is written. */
  readonly endIfCancelled: AttemptEnd;
  /** Undefined where no workload was looked at. */
  readonly script: SettledScript | undefined;
}

/** Gathers the evidence of how an attempt ended, and has it decided. */
@Injectable()
export class AttemptJudge {
  constructor(
    private readonly spools: SpoolEnds,
    private readonly jobs: JobRepository,
    private readonly config: LimitsConfig,
  ) {}

  async judge(claim: ClaimedJob, end: WatchedEnd): Promise<Verdict> {
    const { job, attempt } = claim;
    const endedAtMs = Date.now();
    const { startedAtMs, ended, isEmpty, sizeBytes } = await this.spools.read(attempt.workspace);
    const found: Evidence = {
      exit: end.exit,
      stoppedFor: end.stoppedFor,
      ended,
      started: attempt.startedAtMs !== null || !isEmpty,
      ...this.limitsOf(job),
    };
    const history = isDecidedAlone(found) ? NO_HISTORY : await this.historyOf(claim);
    return toVerdict(
      { attempt: found, ...history },
      {
        startedAtMs: startedAtMs ?? attempt.startedAtMs ?? undefined,
        ended,
        endedAtMs,
        logBytes: sizeBytes,
      },
    );
  }

  /** The workload was never made. */
  async judgeStart(claim: ClaimedJob, failure: StartFailure): Promise<Verdict> {
    const attempt = { ...notStarted(failure), ...this.limitsOf(claim.job) };
    return toVerdict({ attempt, ...(await this.historyOf(claim)) });
  }

  private limitsOf({ timeoutSeconds, memoryMb }: Job) {
    return { timeoutSeconds, memoryMb, maxOutputBytes: this.config.MAX_OUTPUT_BYTES };
  }

  private async historyOf({ fence }: ClaimedJob): Promise<JobHistory> {
    const job = await this.jobs.find(SYSTEM.dispatcher, fence.jobId);
    if (!job) return NO_HISTORY;
    const attempts = await this.jobs.attemptsOf(SYSTEM.dispatcher, fence.jobId);
    const others = attempts.filter(({ number }) => number !== fence.attempt);
    const started = others.filter(({ startedAtMs }) => startedAtMs !== null).length;
    const { isCancelRequested, retries } = job;
    return { isCancelRequested, earlier: { started, notStarted: others.length - started, retries } };
  }
}

/** The verdict on an attempt whose engine no server reaches. */
export function judgeOutOfReach(engines: OutOfReach): Verdict {
  return toVerdict({ attempt: engines, ...NO_HISTORY });
}

function toVerdict(evidence: EndEvidence, script?: SettledScript): Verdict {
  const end = decideEnd(evidence);
  return { end, endIfCancelled: decideEnd({ ...evidence, isCancelRequested: true }), script };
}
