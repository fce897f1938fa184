import { Injectable } from '@nestjs/common';
import { newId } from '../common/ids.js';
import { ExecutionConfig } from '../config/parts/execution-config.js';

/** How long a replica owns its jobs without a renewal, on the database's clock. */
export const LEASE_MS = 15_000;
/** Several renewals fit into a lease, so that one that fails costs nothing. */
export const RENEW_MS = 4_000;

/** This running server, as the owner of the jobs it runs. A restarted server is another one, also under the same name. */
@Injectable()
export class Replica {
  readonly id: string;
  /** The owners that this replica was before it was restarted, as a pattern of SQL; none without a name of its own. */
  readonly predecessors: string | undefined;

  constructor({ REPLICA_NAME: name }: ExecutionConfig) {
    this.id = name === undefined ? newId() : `${name}/${newId()}`;
    this.predecessors = name === undefined ? undefined : `${name}/%`;
  }
}
