import type { Cluster } from '../api/cluster.js';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import type { ObservedPod } from '../observed-pod.js';
import { hasBegun, isTerminal, terminatedState } from '../observed-pod.js';
import type { PodHandle } from '../pod-handle.js';
import type { PodFollower, PodWatch } from './pod-watch.js';
import { deletionGrace, readPod } from '../pod/pod-verdict.js';
import { requestStop } from '../stop-request.js';
import { STOP_MARGIN_SECONDS } from '../pod/to-pod.js';

/** The runner looks for its stop request several times a second; network file systems may show it later. */
const REQUEST_MARGIN_MS = (STOP_MARGIN_SECONDS + 5) * 1000;
/** A pod that has not started yet ends by the request as soon as it starts; one that takes longer is deleted. */
const START_PATIENCE_MS = 30_000;
/** How long a stop goes on without an API server that could say whether it has ended. */
const AWAY_PATIENCE_MS = 10_000;
const LOOK_MS = 1_000;

/**
 * Ends one pod, with the mildest means that works: the stop request, which the runner reads; the pod's own deadline, by
 * which the kubelet ends it; its deletion. The first two leave the record of how it ended.
 */
export class PodStop {
  private readonly follower: PodFollower;
  private means: 'request' | 'deadline' | 'deletion' = 'request';
  private nextAtMs = 0;
  private overSinceMs?: number;
  private readonly beganAtMs = Date.now();

  constructor(
    private readonly cluster: Cluster,
    watch: PodWatch,
    private readonly handle: PodHandle,
    /** Undefined when the pod's labels do not name a workspace. */
    private readonly jobDir: string | undefined,
  ) {
    this.follower = watch.follow(handle.name);
  }

  /** @throws RuntimeUnavailableError while the API server cannot say whether it has ended; the request stands */
  async run(graceSeconds: number, signal: AbortSignal): Promise<void> {
    try {
      if (this.jobDir) await requestStop(this.jobDir, graceSeconds);
      this.nextAtMs = Date.now() + graceSeconds * 1000 + REQUEST_MARGIN_MS;
      while (!(await this.hasEnded(signal))) await this.follower.changed(LOOK_MS, signal);
    } finally {
      this.follower.stop();
    }
  }

  private async hasEnded(signal: AbortSignal): Promise<boolean> {
    const sight = this.follower.current();
    if (!sight) return this.stillAway();
    const pod =
      sight.isThere && sight.last ? sight.last : await this.cluster.findPod(this.handle.name, signal);
    if (!pod || pod.metadata.uid !== this.handle.uid) return true;
    if (terminatedState(pod) || (isTerminal(pod) && !hasBegun(pod))) return true;
    if (isTerminal(pod)) return this.hasBeenOver(pod);
    if (!pod.metadata.deletionTimestamp) await this.press(pod, signal);
    return false;
  }

  /** Over by its own word, with a container whose end may never be written down: its kill takes its grace. */
  private hasBeenOver(pod: ObservedPod): boolean {
    this.overSinceMs ??= Date.now();
    const verdict = readPod(pod);
    return verdict.kind !== 'ending' || Date.now() - this.overSinceMs >= verdict.patienceMs;
  }

  private stillAway(): false {
    if (Date.now() - this.beganAtMs < AWAY_PATIENCE_MS) return false;
    throw new RuntimeUnavailableError('The Kubernetes API server does not say whether the pod has ended.');
  }

  private async press(pod: ObservedPod, signal: AbortSignal): Promise<void> {
    const { name, uid, resourceVersion } = pod.metadata;
    if (!hasBegun(pod)) {
      const isStuck = readPod(pod).kind !== 'underWay' || Date.now() - this.beganAtMs > START_PATIENCE_MS;
      if (isStuck)
        await this.cluster.deletePod(
          name,
          uid,
          { graceSeconds: deletionGrace(pod), resourceVersion },
          signal,
        );
      return;
    }
    if (Date.now() < this.nextAtMs) return;
    const graceMs = (pod.spec.terminationGracePeriodSeconds ?? 0) * 1000;
    if (this.means === 'request') {
      this.means = 'deadline';
      this.nextAtMs = Date.now() + graceMs + REQUEST_MARGIN_MS;
      await this.cluster.expirePod(name, uid, signal);
    } else {
      this.means = 'deletion';
      await this.cluster.deletePod(name, uid, { graceSeconds: 1 }, signal);
    }
  }
}
