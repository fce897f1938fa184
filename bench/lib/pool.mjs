import { waitUntil } from './wait-until.mjs';

const POOL = `{ service { pool { environments { min ready starting hits misses message } } } }`;

/** What the server says of its only pool. */
export async function poolStatus(api) {
  const { service } = await api.ask(POOL, {});
  return service.pool.environments[0];
}

/** Until as many workers wait as always should, and none is on its way. An image with libraries takes seconds. */
export function untilFilled(api) {
  return waitUntil('a full pool', async () => {
    const found = await poolStatus(api);
    return { isDone: found.ready >= found.min && found.starting === 0, found };
  });
}
