import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Controller } from '../../../../src/runtime/process/cgroups/cgroup-tree.js';
import { Cgroups } from '../../../../src/runtime/process/cgroups/cgroups.js';
import { describeTier } from '../runtime-tier.js';

const CONTROLLERS: readonly Controller[] = ['memory', 'pids', 'cpu'];
/** The conformance cases that show what a limit of a whole workload is worth, by the controller that it takes. */
const CASES_OF: Partial<Record<Controller, readonly string[]>> = {
  memory: ['memory-oom', 'memory-oom-child', 'memory-oom-handled'],
  cpu: ['cpu'],
};

/** What of cgroups the process runtime cannot have on this machine. */
export async function missingControllers(): Promise<readonly Controller[]> {
  const cgroups = await Cgroups.probe(`test-${randomUUID()}`);
  try {
    return CONTROLLERS.filter((controller) => !cgroups.has(controller));
  } finally {
    cgroups.close();
  }
}

/** The cases that the process runtime cannot meet for want of these, exactly. */
export function cgroupGaps(missing: readonly Controller[]): readonly string[] {
  return missing.flatMap((controller) => CASES_OF[controller] ?? []);
}

/** Says whether the limits of cgroups are tested here; where TEST_REQUIRE names `process-cgroups`, they have to be. */
export function describeCgroups(missing: readonly Controller[]): void {
  const why = `no cgroup can be made here for ${missing.join(', ')}, so processes have limits of their own.`;
  describeTier('process-cgroups', missing.length > 0 ? why : undefined, () => {
    describe('the cases that need cgroups', () => {
      it('are no gaps here', () => expect(cgroupGaps(missing)).toEqual([]));
    });
  });
}
