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
  readonly log: Log;
}
