/**
 * Where in a job's life a server may be killed by name: a method of a compiled class, before it begins or after it has
 * done its work and nobody knows of it yet.
 *
 * @typedef {object} FailPoint
 * @property {string} name
 * @property {string} module beneath dist/
 * @property {string} className what the module exports; `provider` stands for the chosen runtime itself
 * @property {string} method
 * @property {'before' | 'after'} when
 * @property {string} [runtime] the only one that has it
 * @property {string} [database] the only one that has it
 * @property {boolean} [atStart] reached while a server takes over the jobs of the one before it
 * @property {boolean} [warm] reached only with a pool of workers
 * @property {string} [needs] the kind of job that leads there
 */

const BOTH = ['before', 'after'];

const METHODS = [
  ['jobs/store/submission.repository.js', 'SubmissionRepository', 'insert'],
  ['jobs/store/job.repository.js', 'JobRepository', 'requestCancel', { needs: 'cancelled' }],
  ['jobs/store/claim.repository.js', 'ClaimRepository', 'claim'],
  ['jobs/store/claim.repository.js', 'ClaimRepository', 'adopt', { atStart: true }],
  [
    'jobs/store/claim.repository.js',
    'ClaimRepository',
    'renewLeases',
    { database: 'postgres', when: ['before'] },
  ],
  ['jobs/store/attempt.repository.js', 'AttemptRepository', 'saveHandle'],
  ['jobs/store/attempt.repository.js', 'AttemptRepository', 'markRunning'],
  ['jobs/store/attempt.repository.js', 'AttemptRepository', 'finish'],
  ['jobs/store/attempt.repository.js', 'AttemptRepository', 'requeue', { needs: 'retried' }],
  ['workspace/workspace-maker.js', 'WorkspaceMaker', 'make'],
  ['workspace/workspace-upkeep.js', 'WorkspaceUpkeep', 'removeInputs'],
  ['workspace/workspace-maker.js', 'WorkspaceMaker', 'makeForWorker', { warm: true }],
  ['workspace/workspace-maker.js', 'WorkspaceMaker', 'handOut', { warm: true }],
  ['runtime/pool/worker-launcher.js', 'WorkerLauncher', 'launch', { warm: true, when: ['after'] }],
  ['runtime/pool/worker-launcher.js', 'WorkerLauncher', 'remove', { warm: true }],
  [
    'execution/takeover/attempt-resumer.js',
    'AttemptResumer',
    'withdrawFromWorker',
    { warm: true, atStart: true },
  ],
  ['outputs/store/folder-output-store.js', 'FolderOutputStore', 'keep'],
  ['execution/attempt/attempt-judge.js', 'AttemptJudge', 'judge', { when: ['before'] }],
  ['execution/attempt/attempt-cleaner.js', 'AttemptCleaner', 'clean'],
  ['execution/upkeep/orphan-sweeper.js', 'OrphanSweeper', 'sweep', { atStart: true }],
  ['runtime/runtime-health.js', 'provider', 'start'],
  ['runtime/runtime-health.js', 'provider', 'wait', { when: ['after'] }],
  ['runtime/runtime-health.js', 'provider', 'stop', { needs: 'cancelled' }],
  ['runtime/runtime-health.js', 'provider', 'remove'],
  ['runtime/docker/docker-engine.js', 'DockerEngine', 'create', { runtime: 'docker' }],
  ['runtime/docker/docker-engine.js', 'DockerEngine', 'start', { runtime: 'docker' }],
  ['runtime/process/workload/workload-folders.js', 'WorkloadFolders', 'create', { runtime: 'process' }],
  ['runtime/process/workload/workload-folders.js', 'WorkloadFolders', 'retire', { runtime: 'process' }],
  ['runtime/process/workload/workload-folders.js', 'WorkloadFolders', 'discard', { runtime: 'process' }],
  ['runtime/kubernetes/api/cluster.js', 'Cluster', 'createConfigMap', { runtime: 'kubernetes' }],
  ['runtime/kubernetes/api/cluster.js', 'Cluster', 'createPod', { runtime: 'kubernetes' }],
  ['runtime/kubernetes/api/cluster.js', 'Cluster', 'ownConfigMap', { runtime: 'kubernetes' }],
];

/** @type {readonly FailPoint[]} */
export const FAIL_POINTS = METHODS.flatMap(([module, className, method, more = {}]) =>
  (more.when ?? BOTH).map((when) => ({
    name: `${className}.${method}:${when}`,
    module,
    className,
    method,
    ...more,
    when,
  })),
);

/** Those that a run on this runtime and database can reach. */
export function reachablePoints({ runtime, database, isWarm = false }) {
  return FAIL_POINTS.filter(
    (point) =>
      [runtime, undefined].includes(point.runtime) &&
      [database, undefined].includes(point.database) &&
      (isWarm || !point.warm),
  );
}
