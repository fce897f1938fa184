import type { RuntimeDefinition } from '../../../../src/runtime/runtime-definition.js';
import { SubprocessConfig } from './subprocess-config.js';

/** The smallest runtime that runs scripts: what the list of runtimes gets from a new folder. */
export const SUBPROCESS: RuntimeDefinition<SubprocessConfig> = {
  name: 'subprocess',
  variables: SubprocessConfig,
  awaitsEngine: false,

  async detect() {
    return { fits: false };
  },

  async create({ SUBPROCESS_PYTHON: python }, { secrets }) {
    const { SubprocessRuntime } = await import('./subprocess.runtime.js');
    return new SubprocessRuntime({ python, secrets });
  },
};
