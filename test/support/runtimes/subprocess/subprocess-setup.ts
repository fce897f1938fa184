import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { loadConfig } from '../../../../src/config/load-config.js';
import type { RuntimeHost } from '../../../../src/runtime/runtime-definition.js';
import { WorkspaceLayout } from '../../../../src/workspace/workspace-layout.js';
import { WorkspaceMaker } from '../../../../src/workspace/workspace-maker.js';
import { SILENT_LOG } from '../../recorded-log.js';
import { lookForProcess, testPython } from '../process/runtime-process.js';
import { SECRET_VALUES } from '../runtime-secrets.js';
import type { RuntimeSetup } from '../runtime-setups.js';
import type { SubprocessConfig } from './subprocess-config.js';
import { SUBPROCESS } from './subprocess.definition.js';
import { HOME_PREFIX } from './subprocess.js';

/** The variables of a service whose jobs run so. */
export function subprocessVariables(): Record<string, string> {
  return { EXECUTION_RUNTIME: SUBPROCESS.name, SUBPROCESS_PYTHON: testPython('none') };
}

/** A suite's set-up, made by nothing but the definition. */
export async function subprocessSetup(): Promise<RuntimeSetup> {
  const { unavailable, used } = await lookForProcess('none');
  return {
    create: (dataDir) => {
      const variables = { ...subprocessVariables(), DATA_DIR: dataDir };
      const { storage, environments, runtimes } = loadConfig(variables, [SUBPROCESS]);
      const host: RuntimeHost = {
        installationId: 'test',
        storage,
        workspaces: new WorkspaceMaker(new WorkspaceLayout(storage)),
        defaultImage: environments.RUNNER_IMAGE,
        secrets: SECRET_VALUES,
        isProduction: false,
        log: SILENT_LOG,
      };
      return SUBPROCESS.create(runtimes[SUBPROCESS.name] as SubprocessConfig, host);
    },
    hooks: {
      leftovers: async () => (await readdir(tmpdir())).filter((name) => name.startsWith(HOME_PREFIX)),
    },
    image: 'none',
    requiredTier: 'process',
    used,
    ...(unavailable === undefined ? {} : { unavailable }),
  };
}
