import { setTimeout as sleep } from 'node:timers/promises';

const POOL = `{ service { pool { environments { min ready starting hits misses message } } } }`;
const LOOK_MS = 20;
/** An image with libraries takes seconds to get ready, on a busy machine many. */
const PATIENCE_MS = 120_000;

/** What the server says of its only pool. */
export async function poolStatus(api) {
  const { service } = await api.ask(POOL, {});
  return service.pool.environments[0];
}

/** Until as many workers wait as always should, and none is on its way. */
export async function untilFilled(api) {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const pool = await poolStatus(api);
    if (pool.ready >= pool.min && pool.starting === 0) return pool;
    if (performance.now() > until) throw new Error(`the pool does not fill: ${JSON.stringify(pool)}`);
    await sleep(LOOK_MS);
  }
}
