/** What the runner is asked to do: the content of `/job/job.json` (see docs/runner-contract.md). */
export interface JobOrder {
  version: 1;
  jobId: string;
  attempt: number;
  /** Added to the environment that the script gets, which is otherwise built from empty. */
  env: Record<string, string>;
  timeoutSeconds: number;
  graceSeconds: number;
  maxLogBytes: number;
  maxOutputBytes: number;
  /** Resource limits (`setrlimit`) of the script, for runtimes that cannot limit the workload as a whole. */
  limits: { addressSpaceBytes: number | null; processes: number | null; openFiles: number | null };
  /** Names of variables whose values reach the runner another way; none when absent. */
  secrets?: readonly string[];
  /** A key was given: a runner that finds none has been run before. */
  signed?: true;
}

/** The order in place of one that must not be carried out any more. */
export const WITHDRAWN_ORDER = JSON.stringify({ withdrawn: true });
