import { Backoff, sleep } from '../../../common/async/abort.js';
import { messageOf } from '../../../common/app-error.js';
import { Bell } from '../../../common/async/bell.js';
import type { Log } from '../../../common/log.js';
import type { StartFailure, WorkloadSpec } from '../../runtime-provider.js';
import type { NetworkPace, NetworkPolicyMode } from '../kubernetes-options.js';
import type { NetworkGate } from '../pod/network-gate.js';

/** What a pod has found out about the network that a job with network NONE has. */
export type NetworkFinding =
  | { kind: 'closed'; seconds: number }
  /** `answer` says what took a connection. */
  | { kind: 'open'; answer: string }
  /** The image's runner is older than the wait. */
  | { kind: 'unaware'; image: string }
  | { kind: 'unknown'; why: string };

/** How long a network may take to close. Generous, since large clusters take seconds: it costs those that are open. */
export const GATE_SECONDS = 10;
/** What a job may be delayed by while nobody knows whether the network closes at all. */
const UNKNOWN_GATE_SECONDS = 2;

const PACE: NetworkPace = {
  // An agent that is installed later, or comes back, is found out by then.
  lookAgainMs: 5 * 60_000,
  // A script may end with the code that makes us look, as often as it likes.
  leastMs: 60_000,
  firstRetryMs: 5_000,
};

/**
 * What is known of the cluster's network: whether it holds jobs with network NONE back. Nobody can look that up, since
 * an API server takes policies that nothing enforces, so a pod tries: at the start of the server, when a runner finds
 * its network open, and now and then while it was not seen to close.
 */
export class NetworkSight {
  private finding: NetworkFinding = { kind: 'unknown', why: 'no pod has tried yet' };
  /** Once it was closed, a network that is open is a fault and not a cluster's nature: jobs wait for it from then on. */
  private hasBeenClosed = false;
  private readonly bell = new Bell();
  private readonly pace: NetworkPace;

  constructor(
    private readonly mode: NetworkPolicyMode,
    private readonly log: Log,
    pace: Partial<NetworkPace> = {},
  ) {
    this.pace = { ...PACE, ...pace };
  }

  /** It was seen to hold when a pod tried last. */
  get isHeld(): boolean {
    return this.mode !== 'off' && this.finding.kind === 'closed';
  }

  /** For people: what was seen, and what it means for jobs. */
  get sentence(): string {
    if (this.mode === 'off') return 'Its network is taken to enforce no policy (K8S_NETWORK_POLICY=false).';
    const jobs = 'jobs with network NONE';
    const outcome = this.isRequired ? `${jobs} do not start` : `${jobs} have one`;
    switch (this.finding.kind) {
      case 'closed':
        return `Its network holds ${jobs} back.`;
      case 'open':
        return `Its network enforces no policy on ${jobs} (${this.finding.answer}): ${outcome}.`;
      case 'unaware':
        return `The runner of ${this.finding.image} is too old to see whether its network enforces a policy: ${outcome}.`;
      case 'unknown':
        return `Whether its network holds ${jobs} back is not known: ${this.finding.why}.`;
    }
  }

  /** What the runner of a workload has to wait for. */
  gateFor({ network }: Pick<WorkloadSpec, 'network'>): NetworkGate | undefined {
    if (this.mode === 'off' || network !== 'NONE') return undefined;
    if (this.isRequired) return { seconds: GATE_SECONDS, isRequired: true };
    return this.finding.kind === 'unknown' ? { seconds: UNKNOWN_GATE_SECONDS, isRequired: false } : undefined;
  }

  /** Why a workload is not to be started at all: a runner that does not know the wait would begin without. */
  refusalOf({ network, image }: Pick<WorkloadSpec, 'network' | 'image'>): StartFailure | undefined {
    const { finding } = this;
    if (network !== 'NONE' || !this.isRequired) return undefined;
    if (finding.kind !== 'unaware' || finding.image !== image) return undefined;
    return {
      kind: 'failed',
      message: `The runner of ${image} does not wait for the network policy that K8S_NETWORK_POLICY asks for.`,
      hint: 'Build the image anew from runner-image/Dockerfile.',
      retryable: true,
    };
  }

  /** A runner says that its network stayed open; a pod of ours will see whether that is so. */
  suspect(): void {
    this.bell.ring();
  }

  /** Looks by `look` until `signal` aborts. Never rejects. */
  async keepLooking(
    look: (signal: AbortSignal) => Promise<NetworkFinding>,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.mode === 'off') return;
    const { lookAgainMs, leastMs, firstRetryMs } = this.pace;
    let backoff = new Backoff(firstRetryMs, lookAgainMs);
    while (!signal.aborted) {
      const finding = await look(signal).catch((error: unknown): NetworkFinding => ({
        kind: 'unknown',
        why: messageOf(error).replace(/\.$/, ''),
      }));
      if (signal.aborted) return;
      this.note(finding);
      if (finding.kind === 'unknown') {
        await backoff.wait(signal);
        continue;
      }
      backoff = new Backoff(firstRetryMs, lookAgainMs);
      const isFine = finding.kind === 'closed';
      await Promise.all([sleep(leastMs, signal), this.bell.wait(isFine ? undefined : lookAgainMs, signal)]);
    }
  }

  private get isRequired(): boolean {
    return this.mode === 'required' || this.hasBeenClosed;
  }

  private note(finding: NetworkFinding): void {
    const before = this.sentence;
    this.finding = finding;
    this.hasBeenClosed ||= finding.kind === 'closed';
    if (this.sentence === before) return;
    if (finding.kind === 'closed')
      this.log.info({}, `${this.sentence} A pod saw it after ${finding.seconds} s.`);
    else this.log.warn({}, this.sentence);
  }
}
