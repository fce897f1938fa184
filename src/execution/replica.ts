import { Injectable } from '@nestjs/common';
import { newId } from '../common/ids.js';

/** How long a replica owns its jobs without saying so again, on the database's clock. */
export const LEASE_MS = 15_000;
/** Several renewals fit into a lease, so that one that fails costs nothing. */
export const RENEW_MS = 4_000;

/** This running server, as the owner of the jobs it runs. A restarted server is another one. */
@Injectable()
export class Replica {
  readonly id = newId();
}
