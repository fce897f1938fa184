export interface RunnerRefusal {
  /** A sentence for the job's owner. */
  message: string;
  /** What mends it, where that is known. */
  hint?: string;
}

/** The runner's refusal to run a script a second time. */
export const USED_BEFORE_EXIT_CODE = 121;
/** The runner's refusal to run a script with a network that it must not have. */
export const NETWORK_OPEN_EXIT_CODE = 117;

/** Codes the runner ends with before a script runs; see docs/runner-contract.md. */
export const RUNNER_REFUSALS: Readonly<Record<number, RunnerRefusal>> = {
  [NETWORK_OPEN_EXIT_CODE]: {
    message: 'The network did not close, so a job without network was not begun.',
    hint: 'k8s/network-policy.yaml must be applied, and the cluster’s network must enforce it; service { runtime { message } } says what was seen.',
  },
  118: { message: 'The worker had waited too long for a job.' },
  119: { message: 'The job asks for what a worker cannot give it.' },
  [USED_BEFORE_EXIT_CODE]: { message: 'The workspace had been used before.' },
  122: {
    message:
      'The runner did not understand its order; the runner image and the service may be of different versions.',
  },
  123: { message: 'The runner failed.' },
  124: { message: 'The values of the job’s secrets did not reach the runner.' },
  125: { message: 'The attempt had been given up before its workload began.' },
};
