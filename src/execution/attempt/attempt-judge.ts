import { Inject, Injectable } from '@nestjs/common';
import { signalWithin } from '../../common/async/abort.js';
import { retry } from '../../common/async/retry.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { SYSTEM } from '../../common/principal.js';
import { LimitsConfig } from '../../config/parts/limits-config.js';
import type { ClaimedJob, Job } from '../../jobs/record/job.js';
import { JobRepository } from '../../jobs/store/job.repository.js';
import type { EndedFrame } from '../../runner/ended.js';
import type { StartFailure } from '../../runtime/runtime-provider.js';
import type { AttemptEnd, EndEvidence, JobHistory, OutOfReach } from '../outcome/decide-end.js';
import { NO_HISTORY, decideEnd, hasUntoldEnd, isDecidedAlone, notStarted } from '../outcome/decide-end.js';
import type { Evidence, Outcome } from '../outcome/outcome.js';
import { UNSIGNED_HINT, isOverdue } from '../outcome/signed-end.js';
import type { WatchedEnd } from './attempt-watcher.js';
import { noteContradiction } from './note-contradiction.js';
import type { ScriptTraces } from './script-evidence.js';
import { ScriptEvidence } from './script-evidence.js';

/** What is known about an attempt's script when it is settled. */
export interface SettledScript {
  startedAtMs: number | undefined;
  ended: EndedFrame | undefined;
  /** When this server saw the workload's end, milliseconds since 1970. */
  endedAtMs: number;
  /** Final size of its log. */
  logBytes: number;
  /** False while something of it may still write. */
  isOver: boolean;
}

export interface Verdict {
  readonly end: AttemptEnd;
  /** The same, if the job is found to have been cancelled when the verdict is written. */
  readonly endIfCancelled: AttemptEnd;
  /** Undefined where no workload was looked at. */
  readonly script: SettledScript | undefined;
}

const UNHEARD_HINT =
  'The engine did not say that the workload has ended. What is left of it is removed when it answers; outputs were not kept.';
const UNREAD_HINT = 'The log could not be read when the job ended, so the engine alone told how it did.';
/** Proves nothing: the script may have run. */
const UNREAD: ScriptTraces = {
  started: true,
  startedAtMs: undefined,
  ended: undefined,
  logBytes: 0,
  trust: 'signed',
};
const READING_MS = 20_000;

/** Gathers the evidence of how an attempt ended, and has it decided. */
@Injectable()
export class AttemptJudge {
  protected readonly readingMs: number = READING_MS;

  constructor(
    private readonly evidence: ScriptEvidence,
    private readonly jobs: JobRepository,
    private readonly config: LimitsConfig,
    @Inject(LOG) private readonly log: Log,
  ) {}

  /** Rejects when `signal` aborts while the attempt's log cannot be read. */
  async judge(claim: ClaimedJob, end: WatchedEnd, signal: AbortSignal): Promise<Verdict> {
    const { job, deadlineInMs } = claim;
    const traces =
      end.told ?? (await this.evidence.gather(claim).catch(() => this.gatherAgain(claim, signal)));
    const { ended, started, logBytes } = traces;
    const startedAtMs = traces.startedAtMs ?? claim.attempt.startedAtMs ?? undefined;
    const { timeoutSeconds } = job;
    if (traces.trust === 'signed' && ended) noteContradiction(this.log, job.id, end.exit, ended);
    const known = {
      exit: end.exit,
      stoppedFor: end.stoppedFor,
      ended,
      started,
      isSigned: traces.trust === 'signed',
    };
    const found: Evidence = {
      ...known,
      isOverdue: hasUntoldEnd(known) && isOverdue({ ...end, timeoutSeconds, startedAtMs, deadlineInMs }),
      ...this.limitsOf(job),
    };
    const history = isDecidedAlone(found) ? NO_HISTORY : await this.historyOf(claim);
    const isOver = !end.isUnheard || ended?.alone === true;
    // A script that may still run is not run once more beside itself.
    const earlier = isOver ? history.earlier : { ...history.earlier, retries: 0 };
    const script = {
      startedAtMs: startedAtMs ?? hiddenStartMs(traces, end),
      ended,
      endedAtMs: end.endedAtMs,
      logBytes,
      isOver,
    };
    const verdict = toVerdict({ attempt: found, ...history, earlier }, script);
    if (!isOver) return withHint(verdict, UNHEARD_HINT);
    if (traces === UNREAD) return withHint(verdict, UNREAD_HINT);
    return traces.trust === 'unsigned' ? withHint(verdict, UNSIGNED_HINT) : verdict;
  }

  /** A log that cannot be read for so long is done without: its job does not wait for a disk for ever. */
  private async gatherAgain(claim: ClaimedJob, signal: AbortSignal): Promise<ScriptTraces> {
    const patience = signalWithin(this.readingMs, signal);
    const onFailure = (error: unknown): void =>
      this.log.warn({ jobId: claim.job.id, err: messageOf(error) }, 'a log could not be read; trying again');
    try {
      return await retry(
        () => this.evidence.gather(claim),
        { firstMs: 100, maxMs: 5_000, onFailure },
        patience.signal,
      );
    } catch {
      signal.throwIfAborted();
      this.log.error({ jobId: claim.job.id }, 'a log could not be read; its job is judged without');
      return UNREAD;
    } finally {
      patience.release();
    }
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

/** When a script began, about, that has removed all that told of it, milliseconds since 1970. */
function hiddenStartMs({ trust, started, ended }: ScriptTraces, end: WatchedEnd): number | undefined {
  if (trust !== 'signed' || !started) return undefined;
  return ended ? ended.atMs - ended.wallSeconds * 1000 : end.endedAtMs;
}

/** The verdict on an attempt whose engine no server reaches. */
export function judgeOutOfReach(engines: OutOfReach): Verdict {
  return toVerdict({ attempt: engines, ...NO_HISTORY });
}

/** Where an end has no hint of its own. */
function withHint({ end, endIfCancelled, script }: Verdict, hint: string): Verdict {
  const add = (outcome: Outcome): Outcome => ({ ...outcome, hint: outcome.hint ?? hint });
  const hinted = ({ attempt, job }: AttemptEnd): AttemptEnd => ({
    attempt: add(attempt),
    job: 'ends' in job ? { ends: add(job.ends) } : job,
  });
  return { end: hinted(end), endIfCancelled: hinted(endIfCancelled), script };
}

function toVerdict(evidence: EndEvidence, script?: SettledScript): Verdict {
  const end = decideEnd(evidence);
  return { end, endIfCancelled: decideEnd({ ...evidence, isCancelRequested: true }), script };
}
