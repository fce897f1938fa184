import type { SkippedOutput } from '../../outputs/store/output-store.js';
import type { InputFile } from '../../workspace/workspace-content.js';
import type { JobReason } from './job-reason.js';
import type { JobState } from './job-state.js';

/** One job as the service knows it. Times are milliseconds since 1970 UTC; null: not (yet) so. */
export interface Job {
  /** UUID v7: sorts by creation. */
  readonly id: string;
  readonly name: string | null;
  readonly environment: string;
  readonly priority: number;
  readonly state: JobState;
  readonly reason: JobReason | null;
  readonly message: string | null;
  readonly hint: string | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly isCancelRequested: boolean;
  /** Number of the current attempt; 0 before the first. */
  readonly attempt: number;
  /** Raised by every claim and every adoption. */
  readonly epoch: number;
  /** The replica that runs the job. */
  readonly owner: string | null;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly cpus: number;
  readonly network: Network;
  readonly retries: number;
  readonly createdAtMs: number;
  readonly claimedAtMs: number | null;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly wallMs: number | null;
  readonly cpuMs: number | null;
  readonly peakMemoryBytes: number | null;
  /** Bytes of output that the log's size limit dropped. */
  readonly logDroppedBytes: number;
}

export type Network = 'NONE' | 'INTERNET';

/** What was asked of a job, apart from what lists show. */
export interface JobSpec {
  readonly script: string;
  /** JSON, as it becomes `/input/request.json`. */
  readonly requestText: string;
  readonly env: Readonly<Record<string, string>>;
  /** Names, never a value. */
  readonly secrets: readonly string[];
}

/** One try to run a job. */
export interface Attempt {
  readonly jobId: string;
  readonly number: number;
  readonly runtime: string;
  /** Where its workload is: the engine and, for some, its boot. */
  readonly scope: string;
  /** Name of its container, pod or process. */
  readonly workload: string;
  /** Id of its folders. */
  readonly workspace: string;
  readonly handle: string | null;
  readonly startKind: StartKind;
  /** Why it started that way. */
  readonly startWhy: string;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly reason: JobReason | null;
  readonly message: string | null;
  readonly skippedOutputs: readonly SkippedOutput[];
}

export interface Label {
  readonly name: string;
  readonly value: string;
}

export type StartKind = 'COLD' | 'WARM';

/** An attempt that was planned for a job that is not taken yet. */
export interface NewAttempt extends Pick<
  Attempt,
  'runtime' | 'scope' | 'workload' | 'workspace' | 'handle' | 'startKind' | 'startWhy'
> {
  /** What its workload signs with, hexadecimal; null for one that signs nothing. */
  readonly key: string | null;
}

/** Who may write. Every write to a live job compares all members; a writer that fails the comparison stops. */
export interface Fence {
  readonly jobId: string;
  readonly attempt: number;
  readonly epoch: number;
  readonly owner: string;
}

/** A job that this replica has just taken, with all that is needed to start it. */
export interface ClaimedJob {
  readonly fence: Fence;
  readonly job: Job;
  /** The attempt as it was stored, with what this server has seen since. */
  attempt: Attempt;
  /** As in `NewAttempt`; null also for a job of an earlier version. It is shown to nobody, so it is no part of the attempt. */
  readonly key: string | null;
  readonly spec: JobSpec;
  /** Set for a job that was just submitted, until the files are in its workspace. Otherwise they are read from the store. */
  files?: readonly InputFile[];
  /** How long the script may still run, milliseconds by the database's clock; null when it has not begun. */
  readonly deadlineInMs: number | null;
}

/** A live job that this replica may be able to adopt. */
export interface AdoptableJob {
  readonly job: Job;
  /** Where its workload is. */
  readonly scope: string;
  /** How long ago its lease ended, milliseconds by the database's clock; negative while it holds. */
  readonly lapsedMs: number;
}
