import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';

/** Removes orphans one after the other, past those that cannot be removed now; returns how many were removed. */
export async function removeEach<T>(
  orphans: readonly T[],
  remove: (orphan: T) => Promise<void>,
  log: Log,
): Promise<number> {
  let removed = 0;
  for (const orphan of orphans) {
    try {
      await remove(orphan);
      removed += 1;
    } catch (error) {
      log.warn({ err: messageOf(error) }, 'an orphan could not be removed; trying again later');
    }
  }
  return removed;
}
