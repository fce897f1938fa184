import type { RuntimeDefinition } from '../runtime-definition.js';
import { ProcessConfig } from './process-config.js';

export const PROCESS: RuntimeDefinition<ProcessConfig> = {
  name: 'process',
  variables: ProcessConfig,
  awaitsEngine: false,

  async detect(_variables, { isProduction }) {
    return isProduction
      ? {
          fits: false,
          reason: 'In production the process runtime must be asked for: EXECUTION_RUNTIME=process.',
        }
      : { fits: true, reason: 'Jobs run as local processes.' };
  },

  async create(variables, { storage, installationId, secrets, log }) {
    const { createProcessRuntime } = await import('./process.runtime.js');
    return createProcessRuntime({
      dataDir: storage.dataDir,
      isolation: variables.PROCESS_ISOLATION,
      python: variables.PROCESS_PYTHON,
      installationId,
      secrets,
      log,
    });
  },
};
