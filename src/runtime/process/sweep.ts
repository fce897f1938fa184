import { rm } from 'node:fs/promises';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import type { Cgroups } from './cgroups/cgroups.js';
import { PROBE_PREFIX } from './cgroups/cgroups.js';
import { hostScope, isEarlierBoot } from './cgroups/host-scope.js';
import type { WorkloadFolders } from './workload/workload-folders.js';

/**
 * Clears away what nobody else can: workloads of an earlier boot, whose handles are void; removals that a server died
 * over; cgroups without a workload. What cannot be cleared now is left for the next start.
 */
export async function sweep(
  folders: WorkloadFolders,
  cgroups: Cgroups,
  finishRemoval: (name: string) => Promise<void>,
  log: Log,
): Promise<void> {
  try {
    await folders.clearUnfinished();
    for (const name of folders.retiredNames()) await finishRemoval(name);
    for (const name of folders.names()) {
      const record = folders.read(name)?.record;
      if (!record || !isEarlierBoot(record.scope, hostScope())) continue;
      await rm(folders.path(name), { recursive: true, force: true });
      await rm(`${folders.path(name)}.exit`, { force: true });
    }
    for (const name of cgroups.names()) {
      if (!name.startsWith(PROBE_PREFIX) && !folders.read(name) && cgroups.members(name).length === 0)
        await cgroups.remove(name);
    }
  } catch (error) {
    log.warn({}, `Remains of earlier workloads could not be cleared away: ${messageOf(error)}`);
  }
}
