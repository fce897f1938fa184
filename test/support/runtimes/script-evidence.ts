import type { EndedFrame } from '../../../src/runner/ended.js';
import type { Evidence } from '../../../src/execution/outcome/outcome.js';
import type { WorkloadExit } from '../../../src/runtime/runtime-provider.js';

export const LIMITS = { timeoutSeconds: 5, memoryMb: 64, maxOutputBytes: 1024 };

/** What a runner tells of a script that ended well. */
export const ENDED: EndedFrame = {
  atMs: 0,
  exitCode: 0,
  signal: null,
  timedOut: false,
  stopped: false,
  diskExceeded: false,
  oomKills: 0,
  droppedBytes: 0,
  wallSeconds: 1,
  cpuSeconds: 1,
  maxRssBytes: 1,
  alone: true,
  oomCounted: true,
};

/** Of a script that began, and whose runner signs nothing: its engine's word and `ended`, where the runner told it. */
export function evidenceOf(
  exit: WorkloadExit,
  ended: Partial<EndedFrame> | undefined,
  more: Partial<Evidence> = {},
): Evidence {
  return {
    exit,
    ended: ended && { ...ENDED, ...ended },
    started: true,
    isSigned: false,
    isOverdue: false,
    stoppedFor: undefined,
    ...LIMITS,
    ...more,
  };
}
