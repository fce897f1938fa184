import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { RuntimeDefinition } from '../../../../src/runtime/runtime-definition.js';
import { SubprocessConfig } from './subprocess-config.js';

const BUNDLER = fileURLToPath(new URL('../../../../runner-image/bundle.py', import.meta.url));

/** The smallest runtime that runs scripts: what the list of runtimes gets from a new folder. */
export const SUBPROCESS: RuntimeDefinition<SubprocessConfig> = {
  name: 'subprocess',
  variables: SubprocessConfig,
  awaitsEngine: false,

  async detect() {
    return { fits: false };
  },

  async create({ SUBPROCESS_PYTHON: python }, { secrets, storage }) {
    const { SubprocessRuntime } = await import('./subprocess.runtime.js');
    const runnerPath = join(storage.dataDir, 'runner.pyc');
    await mkdir(storage.dataDir, { recursive: true });
    await promisify(execFile)(python, ['-I', BUNDLER, runnerPath]);
    return new SubprocessRuntime({ python, runnerPath, secrets });
  },
};
