/** The variables by which a runtime tells a runner what no order says; see docs/runner-contract.md. */
export const RUNNER_VARIABLES = {
  jobDir: 'RUNNER_JOB_DIR',
  inputDir: 'RUNNER_INPUT_DIR',
  outputDir: 'RUNNER_OUTPUT_DIR',
  spoolDir: 'RUNNER_SPOOL_DIR',
  stopFile: 'RUNNER_STOP_FILE',
  secretsFrom: 'RUNNER_SECRETS_FROM',
  awaitClosed: 'RUNNER_AWAIT_CLOSED',
  awaitClosedSeconds: 'RUNNER_AWAIT_CLOSED_SECONDS',
  awaitClosedElse: 'RUNNER_AWAIT_CLOSED_ELSE',
  worker: 'RUNNER_WORKER',
  workerIdleSeconds: 'RUNNER_WORKER_IDLE_SECONDS',
  preload: 'RUNNER_PRELOAD',
} as const;

/** How a runner waits for a job that is not known yet. */
export interface WorkerMode {
  /** Modules to import ahead; undefined: those that the image names itself. */
  readonly preload?: readonly string[];
  /** How long it waits, once it is ready, before it ends by itself. */
  readonly idleSeconds: number;
}

/** What a runner needs in its environment to wait for a job; nothing for one that has its job. */
export function workerVariables(worker: WorkerMode | undefined): Readonly<Record<string, string>> {
  if (!worker) return {};
  return {
    [RUNNER_VARIABLES.worker]: '1',
    [RUNNER_VARIABLES.workerIdleSeconds]: String(worker.idleSeconds),
    ...(worker.preload ? { [RUNNER_VARIABLES.preload]: worker.preload.join(',') } : {}),
  };
}

/** What the runner sets for every script. */
export const SCRIPT_VARIABLES = [
  'PATH',
  'HOME',
  'JOB_ID',
  'INPUT_DIR',
  'OUTPUT_DIR',
  'REQUEST_PATH',
] as const;
/** What the runner reads, or what starts it, before it is the script's turn. */
const READ_BEFORE_THE_SCRIPT = /^(RUNNER_|LD_|PYTHON)/;

/** Whether the runner itself sets or reads a variable, so that no job may bring a value for it as a secret. */
export function isRunnerVariable(name: string): boolean {
  return SCRIPT_VARIABLES.some((each) => each === name) || READ_BEFORE_THE_SCRIPT.test(name);
}
