import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NetworkPolicyMode } from '../kubernetes-options.js';
import type { NetworkFinding } from './network-sight.js';
import { GATE_SECONDS, NetworkSight } from './network-sight.js';
import { SILENT_LOG } from '../../../../test/support/recorded-log.js';

const NONE = { network: 'NONE', image: 'py-exec:1' } as const;
const INTERNET = { network: 'INTERNET', image: 'py-exec:1' } as const;
const CLOSED: NetworkFinding = { kind: 'closed', seconds: 0.1 };
const OPEN: NetworkFinding = { kind: 'open', answer: '10.0.0.1 port 443 answers' };
const UNAWARE: NetworkFinding = { kind: 'unaware', image: 'py-exec:1' };
const UNKNOWN: NetworkFinding = { kind: 'unknown', why: 'no room' };
const REQUIRED = { seconds: GATE_SECONDS, isRequired: true };
const PACE = { leastMs: 1, lookAgainMs: 1_000_000, firstRetryMs: 1 };

describe('NetworkSight', () => {
  let stop: AbortController;
  let lines: string[];
  let looking: Promise<void> | undefined;

  beforeEach(() => {
    stop = new AbortController();
    lines = [];
    looking = undefined;
  });

  afterEach(async () => {
    stop.abort();
    await looking;
  });

  const make = (mode: NetworkPolicyMode, pace = PACE): NetworkSight => {
    const note =
      (level: string) =>
      (_fields: object, line: string): void =>
        void lines.push(`${level} ${line}`);
    return new NetworkSight(mode, { ...SILENT_LOG, info: note('info'), warn: note('warn') }, pace);
  };

  /** Lets it look until the last of `findings` has been taken. */
  const after = async (
    mode: NetworkPolicyMode,
    ...findings: (NetworkFinding | Error)[]
  ): Promise<NetworkSight> => {
    const sight = make(mode);
    await new Promise<void>((resolve) => {
      const left = [...findings];
      const look = async (signal: AbortSignal): Promise<NetworkFinding> => {
        const finding = left.shift();
        if (finding instanceof Error) throw finding;
        if (finding) return finding;
        // The one before has been taken by now.
        resolve();
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error())));
      };
      looking = sight.keepLooking(look, stop.signal);
      const again = setInterval(() => sight.suspect(), 1);
      stop.signal.addEventListener('abort', () => clearInterval(again));
    });
    return sight;
  };

  it('knows nothing at first: jobs wait a moment, for a network that may close', () => {
    const sight = make('auto');
    expect(sight.isHeld).toBe(false);
    expect(sight.gateFor(NONE)).toEqual({ seconds: 2, isRequired: false });
    expect(sight.sentence).toBe(
      'Whether its network holds jobs with network NONE back is not known: no pod has tried yet.',
    );
  });

  it('orders no wait for a job with network INTERNET, and none where nobody expects a policy', () => {
    for (const mode of ['auto', 'required', 'off'] as const)
      expect(make(mode).gateFor(INTERNET)).toBeUndefined();
    expect(make('off').gateFor(NONE)).toBeUndefined();
  });

  it('says what was seen, and what jobs have to see from then on', async () => {
    const sight = await after('auto', CLOSED);
    expect(sight.isHeld).toBe(true);
    expect(sight.gateFor(NONE)).toEqual(REQUIRED);
    expect(lines).toEqual(['info Its network holds jobs with network NONE back. A pod saw it after 0.1 s.']);
  });

  it('lets jobs run on a cluster that enforces nothing, and says so', async () => {
    const sight = await after('auto', OPEN);
    expect([sight.isHeld, sight.gateFor(NONE)]).toEqual([false, undefined]);
    expect(lines).toEqual([`warn ${sight.sentence}`]);
    expect(sight.sentence).toBe(
      'Its network enforces no policy on jobs with network NONE (10.0.0.1 port 443 answers): jobs with network NONE have one.',
    );
  });

  it('lets no job run on a cluster that has enforced a policy and does not any more', async () => {
    const sight = await after('auto', CLOSED, OPEN);
    expect([sight.isHeld, sight.gateFor(NONE)]).toEqual([false, REQUIRED]);
    expect(sight.sentence).toMatch(/jobs with network NONE do not start\.$/);
  });

  it('sees a policy that is enforced later', async () => {
    const sight = await after('auto', OPEN, CLOSED);
    expect([sight.isHeld, sight.gateFor(NONE)]).toEqual([true, REQUIRED]);
  });

  it('has every job wait where a policy is asked for, whatever was seen', async () => {
    expect(make('required').gateFor(NONE)).toEqual(REQUIRED);
    const sight = await after('required', OPEN);
    expect([sight.isHeld, sight.gateFor(NONE)]).toEqual([false, REQUIRED]);
    expect(sight.sentence).toMatch(/jobs with network NONE do not start\.$/);
  });

  it('starts no job of an image that does not wait, where a policy is asked for', async () => {
    const sight = await after('required', UNAWARE);
    expect(sight.refusalOf(NONE)).toMatchObject({ kind: 'failed', retryable: true });
    expect(sight.refusalOf({ ...NONE, image: 'another:1' })).toBeUndefined();
    expect(sight.refusalOf(INTERNET)).toBeUndefined();
    expect((await after('auto', UNAWARE)).refusalOf(NONE)).toBeUndefined();
  });

  it('tries again after a try that said nothing, with the reason', async () => {
    const sight = await after('auto', UNKNOWN, new Error('The API server is away.'));
    expect(sight.sentence).toMatch(/is not known: The API server is away\.$/);
    expect(sight.gateFor(NONE)).toMatchObject({ isRequired: false });
    expect(lines).toHaveLength(2);
  });

  it('says the same thing once', async () => {
    await after('auto', OPEN, OPEN, OPEN);
    expect(lines).toHaveLength(1);
  });

  it('looks no more while it is closed and nobody suspects anything', async () => {
    const sight = make('auto');
    let looks = 0;
    const look = async (): Promise<NetworkFinding> => {
      looks += 1;
      return CLOSED;
    };
    looking = sight.keepLooking(look, stop.signal);
    await new Promise((resolve) => setImmediate(resolve));
    expect([looks, sight.isHeld]).toEqual([1, true]);
  });

  it('never looks where nobody expects a policy', async () => {
    const sight = make('off');
    await sight.keepLooking(() => Promise.reject(new Error('looked')), stop.signal);
    expect(sight.isHeld).toBe(false);
    expect(sight.sentence).toMatch(/K8S_NETWORK_POLICY=false/);
  });
});
