/** Codes that a runner ends with before a script runs; see docs/runner-contract.md. A script may use the same ones. */
export const RUNNER_EXIT_CODES = {
  /** The network stayed open for a script that must have none. */
  networkOpen: 117,
  noJobCame: 118,
  needsColdStart: 119,
  /** The spool is in use: a script is never run a second time. */
  spoolInUse: 121,
  badOrder: 122,
  runnerFailed: 123,
  noSecrets: 124,
  withdrawn: 125,
  /** As a script that SIGTERM ends. */
  stopped: 143,
} as const;

export interface RunnerRefusal {
  /** A sentence for the job's owner. */
  message: string;
  /** What mends it, where that is known. */
  hint?: string;
}

/** What the codes mean to the owner of a job whose script did not run. */
export const RUNNER_REFUSALS: Readonly<Record<number, RunnerRefusal>> = {
  [RUNNER_EXIT_CODES.networkOpen]: {
    message: 'The network did not close, so a job without network was not begun.',
    hint: 'k8s/network-policy.yaml must be applied, and the cluster’s network must enforce it; service { runtime { message } } says what was seen.',
  },
  [RUNNER_EXIT_CODES.noJobCame]: { message: 'The worker had waited too long for a job.' },
  [RUNNER_EXIT_CODES.needsColdStart]: { message: 'The job asks for what a worker cannot give it.' },
  [RUNNER_EXIT_CODES.spoolInUse]: { message: 'The workspace had been used before.' },
  [RUNNER_EXIT_CODES.badOrder]: {
    message:
      'The runner did not understand its order; the runner image and the service may be of different versions.',
  },
  [RUNNER_EXIT_CODES.runnerFailed]: { message: 'The runner failed.' },
  [RUNNER_EXIT_CODES.noSecrets]: { message: 'The values of the job’s secrets did not reach the runner.' },
  [RUNNER_EXIT_CODES.withdrawn]: { message: 'The attempt had been given up before its workload began.' },
};
