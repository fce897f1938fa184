import { subprocessSetup } from '../../support/runtimes/subprocess/subprocess-setup.js';
import { PLAIN_GAPS, describePlainRuntime } from './plain-runtime.contract.js';

describePlainRuntime('a runtime of one folder', await subprocessSetup(), [
  ...PLAIN_GAPS,
  // Limits of the workload as a whole are the kernel's, by cgroups.
  'memory-oom',
  'memory-oom-child',
  'memory-oom-handled',
  'cpu',
  // Its workloads are of the server that made them: another one has another scope.
  'wait-elsewhere',
  'close',
  'secret-started-often',
  // Nothing but the server knows of them, so that nobody can do anything behind its back.
  'start-made',
  'never-started',
  'removed-while-waited',
  'secret-made',
  'secret-undescribed',
]);
