import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Looks again and again until `look` is content, and returns what it found then. `look` gives `{ isDone, found }`; when
 * it is not content within `patienceMs`, the error names what was waited for and what was found last.
 */
export async function waitUntil(what, look, { everyMs = 20, patienceMs = 120_000 } = {}) {
  const until = performance.now() + patienceMs;
  for (;;) {
    const { isDone, found } = await look();
    if (isDone) return found;
    if (performance.now() > until) throw new Error(`waited too long for ${what}: ${JSON.stringify(found)}`);
    await sleep(everyMs);
  }
}
