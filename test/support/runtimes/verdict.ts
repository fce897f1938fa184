import { LimitsConfig } from '../../../src/config/parts/limits-config.js';
import type { SettledScript } from '../../../src/execution/attempt/attempt-judge.js';
import { AttemptJudge } from '../../../src/execution/attempt/attempt-judge.js';
import { ScriptEvidence } from '../../../src/execution/attempt/script-evidence.js';
import type { Outcome } from '../../../src/execution/outcome/outcome.js';
import type { StopReason } from '../../../src/execution/outcome/stop-reason.js';
import type { ClaimedJob } from '../../../src/jobs/record/job.js';
import type { JobRepository } from '../../../src/jobs/store/job.repository.js';
import { SpoolEnds } from '../../../src/logs/spool-ends.js';
import { SpoolTails } from '../../../src/logs/spool-tails.js';
import { SILENT_LOG } from '../recorded-log.js';
import type { RuntimeBench, Workload } from './runtime-bench.js';
import { PATIENCE_MS } from './runtime-bench.js';

export interface Verdict {
  outcome: Outcome;
  script: SettledScript;
  /** Whether a job without retries is given another attempt. */
  isTriedAgain: boolean;
}

/** Waits for a workload's end and judges it as a server does that has seen nothing of it before. */
export async function verdictOn(
  bench: RuntimeBench,
  workload: Workload,
  { stoppedFor, isCancelRequested = false }: { stoppedFor?: StopReason; isCancelRequested?: boolean } = {},
): Promise<Verdict> {
  const beganMs = performance.now();
  const exit = await workload.exit();
  const { workload: name, key, attempt: number } = workload.key;
  const { timeoutSeconds, limits, workspace } = workload.spec;
  const claim = {
    fence: { jobId: workload.jobId, attempt: number, epoch: 1 },
    job: { id: workload.jobId, timeoutSeconds, memoryMb: limits.memoryMb },
    attempt: { workload: name, workspace: workspace.id, number, startedAtMs: null },
    key,
    deadlineInMs: null,
  } as unknown as ClaimedJob;
  const end = { exit, stoppedFor, endedAtMs: Date.now(), watchedMs: performance.now() - beganMs };
  const { end: decided, script } = await judgeOf(bench, isCancelRequested).judge(
    claim,
    end,
    AbortSignal.timeout(PATIENCE_MS),
  );
  if (!script) throw new Error('a workload was looked at');
  return { outcome: decided.attempt, script, isTriedAgain: 'waitsMs' in decided.job };
}

function judgeOf({ spools }: RuntimeBench, isCancelRequested: boolean): AttemptJudge {
  const evidence = new ScriptEvidence(new SpoolEnds(spools, new SpoolTails(spools)), spools);
  const jobs = {
    find: async () => ({ isCancelRequested, retries: 0 }),
    attemptsOf: async () => [],
  } as unknown as JobRepository;
  return new AttemptJudge(evidence, jobs, new LimitsConfig(), SILENT_LOG);
}
