import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signalWithin } from '../../../common/async/abort.js';
import type { Log } from '../../../common/log.js';
import type { WorkspaceMaker } from '../../../workspace/workspace-maker.js';
import { publicMessage } from '../../public-message.js';
import type { WorkloadExit } from '../../runtime-provider.js';
import type { NetworkGate } from '../pod/network-gate.js';
import type { NetworkFinding } from './network-sight.js';
import { GATE_SECONDS } from './network-sight.js';
import type { ProbeRuntime } from './probe-pod.js';
import { PROBE_MARGIN_SECONDS, runProbe } from './probe-pod.js';

/** As a job waits that must see it, but for the end: the runner begins in any case, and says what it saw. */
export const PROBE_GATE: NetworkGate = { seconds: GATE_SECONDS, isRequired: false };

/** Larger than any `started` frame, which is the first thing in a spool. */
const STARTED_CHARACTERS = 4096;

/** Tries the network that a job with network NONE would have. `runtime` starts its pods with `PROBE_GATE`. */
export async function lookAtNetwork(
  runtime: ProbeRuntime,
  workspaces: WorkspaceMaker,
  image: string,
  log: Log,
  signal: AbortSignal,
): Promise<NetworkFinding> {
  const probe = { script: 'pass\n', request: null, image, network: 'NONE' } as const;
  const read = async (exit: WorkloadExit, { spoolDir }: { spoolDir: string }): Promise<NetworkFinding> =>
    toFinding(exit, await readFile(join(spoolDir, 'log'), 'latin1').catch(() => ''), image);
  const limit = signalWithin((runtime.startTimeoutSeconds + PROBE_MARGIN_SECONDS) * 1000, signal);
  try {
    return await runProbe(runtime, workspaces, probe, read, log, limit.signal);
  } catch (error) {
    if (signal.aborted || !limit.signal.aborted) throw error;
    return { kind: 'unknown', why: 'a probe pod did not end in time' };
  } finally {
    limit.release();
  }
}

/** What the end of a probe and its spool say. Pure. */
export function toFinding(exit: WorkloadExit, spool: string, image: string): NetworkFinding {
  if (exit.kind === 'startFailed') {
    return {
      kind: 'unknown',
      why: `a probe pod did not start: ${publicMessage(exit.failure).replace(/\.$/, '')}`,
    };
  }
  if (exit.kind !== 'exited')
    return { kind: 'unknown', why: `a probe pod did not end by itself (${exit.kind})` };
  if (exit.exitCode !== 0) return { kind: 'unknown', why: `a probe pod ended with code ${exit.exitCode}` };
  const told = /"network":(\{[^{}]*\})/.exec(spool.slice(0, STARTED_CHARACTERS))?.[1];
  if (told === undefined) return { kind: 'unaware', image };
  const { closed, seconds, answer } = JSON.parse(told) as Record<string, unknown>;
  return closed === true
    ? { kind: 'closed', seconds: Number(seconds) }
    : { kind: 'open', answer: String(answer) };
}
