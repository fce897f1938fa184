import { fileURLToPath } from 'node:url';
import type { Log } from '../../common/log.js';
import type { SecretLookup } from '../secret-line.js';

/** What the process runtime needs to know; made from the configuration by its definition. */
export interface ProcessRuntimeOptions {
  /** The server's data folder; the runtime keeps its state in `process/` below it. */
  readonly dataDir: string;
  readonly isolation: 'bubblewrap' | 'none';
  /** Interpreter of the scripts: a path, or a name that is looked up in PATH. */
  readonly python: string;
  readonly installationId: string;
  /** Values of the secrets that jobs may name; none when absent. */
  readonly secrets?: SecretLookup;
  /** `job_runner.py`; the one of this package where nothing else is said. */
  readonly runnerPath?: string;
  readonly log: Log;
}

/** The package's own runner: three folders up both from `src/` and from `dist/`. */
export const PACKAGED_RUNNER = fileURLToPath(new URL('../../../runner-image/job_runner.py', import.meta.url));
