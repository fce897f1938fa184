import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import { LIVE_STATES } from '../record/job-state.js';

/** Literal, so that the partial index on live jobs can be used. */
export function isLive(): RawBuilder<boolean> {
  return sql<boolean>`state in (${sql.join(LIVE_STATES.map((state) => sql.lit(state)))})`;
}
