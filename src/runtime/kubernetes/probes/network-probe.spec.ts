import { describe, expect, it } from '@jest/globals';
import { SILENT_LOG } from '../../../../test/support/recorded-log.js';
import { abortable } from '../../../common/async/abort.js';
import type { WorkspaceMaker } from '../../../workspace/workspace-maker.js';
import type { WorkloadExit } from '../../runtime-provider.js';
import { lookAtNetwork, toFinding } from './network-probe.js';
import { PROBE_MARGIN_SECONDS } from './probe-pod.js';

const WELL: WorkloadExit = { kind: 'exited', exitCode: 0, oomKilled: false };
const IMAGE = 'py-exec:1';
const spool = (network: string): string => `LF\x01\0{"version":1,"pid":7,"python":"3.11.2"${network}}LF\x04`;

describe('toFinding', () => {
  it('reads what the runner has seen', () => {
    const closed = spool(',"network":{"closed":true,"wasOpen":true,"seconds":0.112}');
    expect(toFinding(WELL, closed, IMAGE)).toEqual({ kind: 'closed', seconds: 0.112 });
    const open = spool(
      ',"network":{"closed":false,"wasOpen":true,"seconds":10.1,"answer":"10.0.0.1 port 443 answers"}',
    );
    expect(toFinding(WELL, open, IMAGE)).toEqual({ kind: 'open', answer: '10.0.0.1 port 443 answers' });
  });

  it('knows a runner that has not waited', () => {
    expect(toFinding(WELL, spool(''), IMAGE)).toEqual({ kind: 'unaware', image: IMAGE });
    expect(toFinding(WELL, '', IMAGE)).toEqual({ kind: 'unaware', image: IMAGE });
  });

  it('takes any other end for nothing that was seen', () => {
    const failure = { kind: 'unschedulable', message: 'No node has room.', retryable: true } as const;
    const seen = spool(',"network":{"closed":true,"wasOpen":false,"seconds":0.3}');
    for (const [exit, why] of [
      [{ kind: 'startFailed', failure }, 'a probe pod did not start: No node has room'],
      [{ kind: 'removed' }, 'a probe pod did not end by itself (removed)'],
      [{ ...WELL, exitCode: 123 }, 'a probe pod ended with code 123'],
    ] as [WorkloadExit, string][])
      expect(toFinding(exit, seen, IMAGE)).toEqual({ kind: 'unknown', why });
  });
});

describe('lookAtNetwork', () => {
  /** Runs a probe whose pod never ends, with next to no time for it. */
  const look = async (signal: AbortSignal): Promise<{ removed: string[]; finding: Promise<unknown> }> => {
    const removed: string[] = [];
    const runtime = {
      startTimeoutSeconds: 0.1 - PROBE_MARGIN_SECONDS,
      start: () => Promise.resolve('handle'),
      wait: (_handle: string, given?: AbortSignal) =>
        abortable(new Promise<WorkloadExit>(() => undefined), given),
      remove: async (handle: string) => void removed.push(handle),
    };
    const workspaces = {
      prepare: async () => undefined,
      make: async () => ({}),
      discard: async () => undefined,
    };
    const maker = workspaces as unknown as WorkspaceMaker;
    return { removed, finding: lookAtNetwork(runtime, maker, IMAGE, SILENT_LOG, signal) };
  };

  it('knows nothing of a pod that does not end, and removes it', async () => {
    const { finding, removed } = await look(new AbortController().signal);
    expect(await finding).toEqual({ kind: 'unknown', why: 'a probe pod did not end in time' });
    expect(removed).toEqual(['handle']);
  });

  it('ends with the server', async () => {
    const stopping = new AbortController();
    const { finding } = await look(stopping.signal);
    stopping.abort(new Error('the server is stopping'));
    await expect(finding).rejects.toThrow('the server is stopping');
  });
});
