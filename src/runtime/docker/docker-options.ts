import type { Log } from '../../common/log.js';
import type { SecretLookup } from '../secret-line.js';

/** What the docker runtime is made from; made from the configuration by its definition. */
export interface DockerOptions {
  /** `unix:///path`, `tcp://host:port`, `http://…` or `https://…`; unset: where the client library finds an engine. */
  dockerHost?: string;
  /** Absolute folder below which every workspace lies. */
  dataDir: string;
  /** Where `dataDir` is on the engine's host, when this server runs in a container itself. */
  hostDataDir?: string;
  /** OCI runtime of job containers; unset: the engine's default. */
  ociRuntime?: string;
  /** Marks this installation's containers; others' are never touched. */
  installationId: string;
  /** Values of the secrets that jobs may name; none when absent. */
  secrets?: SecretLookup;
  log: Log;
  /** How often all waits together look at the engine themselves, should its events have gone silent. */
  reconcileMs?: number;
}
