import { describe, expect, it } from '@jest/globals';
import type { WorkloadExit } from '../../runtime-provider.js';
import { toFinding } from './network-probe.js';

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
