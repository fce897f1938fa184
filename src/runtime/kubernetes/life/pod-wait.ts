import { abortable } from '../../../common/async/abort.js';
import type { StartFailure, WorkloadExit } from '../../runtime-provider.js';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import type { Cluster } from '../api/cluster.js';
import type { ObservedPod } from '../observed-pod.js';
import { hasBegun } from '../observed-pod.js';
import type { PodFollower, PodWatch } from './pod-watch.js';
import type { Verdict } from '../pod/pod-verdict.js';
import { deletionGrace, readPod, readVanished } from '../pod/pod-verdict.js';
import { startTooLate } from '../pod/start-failure.js';
import { requestStop } from '../stop-request.js';

/** Events that name who took a pod away, where the pod itself does not. */
const TAKEN_AWAY: Readonly<Record<string, 'evicted' | 'nodeLost'>> = {
  Evicted: 'evicted',
  Preempted: 'evicted',
  TaintManagerEviction: 'nodeLost',
  NodeNotReady: 'nodeLost',
};

/** Follows one pod to its end, and gives up a start that goes nowhere. */
export class PodWait {
  private readonly follower: PodFollower;
  private wasSeen = false;
  /** What was read last, and since when it has been so. */
  private reading?: { key: string; sinceMs: number };
  private readonly beganAtMs = Date.now();
  /** Why the pod was taken back before it had begun. */
  private retracted?: StartFailure;

  constructor(
    private readonly cluster: Cluster,
    private readonly watch: PodWatch,
    private readonly name: string,
    /** Null: whichever pod has the name. */
    private uid: string | null,
    private readonly startTimeoutSeconds: number,
    /** Where its stop request lies; undefined when its labels do not say. */
    private readonly jobDir: string | undefined,
  ) {
    this.follower = watch.follow(name);
  }

  /** Rejects only when `signal` aborts or the watch is closed. */
  async run(signal: AbortSignal): Promise<WorkloadExit> {
    try {
      for (;;) {
        const step = await this.step(signal);
        if (typeof step === 'object') return this.withMachine(step);
        await this.follower.changed(step, signal);
      }
    } finally {
      this.follower.stop();
    }
  }

  /** What the cluster says may name the node, and the node's name is nothing for the job's owner. */
  private withMachine(exit: WorkloadExit): WorkloadExit {
    const machine = this.follower.current()?.last?.spec.nodeName;
    if (machine === undefined) return exit;
    if (exit.kind === 'startFailed') return { ...exit, failure: { ...exit.failure, machine } };
    return 'message' in exit ? { ...exit, machine } : exit;
  }

  /** The exit, or how long to wait for a change at most; undefined: as long as it takes. */
  private async step(signal: AbortSignal): Promise<WorkloadExit | number | undefined> {
    const sight = this.follower.current();
    if (!sight) return undefined;
    if (!sight.last || !this.isOurs(sight.last)) return this.lookDirectly(signal);
    this.wasSeen = true;
    if (sight.isThere) return this.decide(sight.last, signal);
    return this.afterwards(sight.last, signal);
  }

  private isOurs({ metadata }: ObservedPod): boolean {
    return this.uid === null || metadata.uid === this.uid;
  }

  /** The watch knows of no such pod; one that has just been made it may not have heard of. */
  private async lookDirectly(signal: AbortSignal): Promise<WorkloadExit | number> {
    const found = await this.tryAsking(() => this.cluster.findPod(this.name, signal), signal);
    if (found === UNKNOWN) return RETRY_MS;
    if (found && this.isOurs(found)) {
      this.watch.note(found);
      return RETRY_MS;
    }
    if (this.wasSeen) return { kind: 'removed' };
    return this.uid === null ? this.withoutPod(signal) : LOST;
  }

  /** A ConfigMap whose pod was never made, or nothing at all. */
  private async withoutPod(signal: AbortSignal): Promise<WorkloadExit | number> {
    const found = await this.tryAsking(() => this.cluster.findConfigMap(this.name, signal), signal);
    if (found === UNKNOWN) return RETRY_MS;
    return found ? { kind: 'neverStarted' } : LOST;
  }

  private async decide(pod: ObservedPod, signal: AbortSignal): Promise<WorkloadExit | number | undefined> {
    this.uid ??= pod.metadata.uid;
    const verdict = readPod(pod);
    if (verdict.kind === 'ended') return this.withCause(verdict.exit, signal);
    const lastedMs = this.noteReading(verdict);
    if (verdict.kind === 'ending') {
      return lastedMs >= verdict.patienceMs ? verdict.exit : verdict.patienceMs - lastedMs;
    }
    if (hasBegun(pod)) return undefined;
    const givenUp = await this.failureOf(verdict, lastedMs, pod, signal);
    if (typeof givenUp !== 'object') return givenUp;
    return this.retract(pod, givenUp, signal);
  }

  /** How long the pod has been in the state that was just read, in milliseconds. */
  private noteReading(verdict: Verdict): number {
    const key = verdict.kind === 'hindered' ? verdict.hindrance.failure.kind : verdict.kind;
    if (this.reading?.key !== key) this.reading = { key, sinceMs: Date.now() };
    return Date.now() - this.reading.sinceMs;
  }

  /** Why a pod that has not begun is given up now, or how long it still may take. */
  private async failureOf(
    verdict: Verdict,
    lastedMs: number,
    pod: ObservedPod,
    signal: AbortSignal,
  ): Promise<StartFailure | number> {
    const leftMs = this.startTimeoutSeconds * 1000 - (Date.now() - this.beganAtMs);
    if (verdict.kind === 'hindered') {
      const patienceMs = Math.min(verdict.hindrance.patienceMs - lastedMs, leftMs);
      return patienceMs <= 0 ? verdict.hindrance.failure : patienceMs;
    }
    if (leftMs > 0) return leftMs;
    if (verdict.kind === 'waiting') return verdict.failure;
    return startTooLate(this.startTimeoutSeconds, await this.lastWarning(pod, signal));
  }

  /** Takes the pod back so that it cannot begin after it was given up; one that has changed is looked at again. */
  private async retract(pod: ObservedPod, failure: StartFailure, signal: AbortSignal): Promise<number> {
    const { uid, resourceVersion } = pod.metadata;
    // Should its container be made all the same, its runner finds this and begins nothing.
    if (this.jobDir) await requestStop(this.jobDir, 0);
    const options = { graceSeconds: deletionGrace(pod), resourceVersion };
    const taken = await this.tryAsking(() => this.cluster.deletePod(this.name, uid, options, signal), signal);
    if (taken === true) this.retracted = failure;
    return RETRY_MS;
  }

  private async afterwards(last: ObservedPod, signal: AbortSignal): Promise<WorkloadExit> {
    if (this.retracted && !hasBegun(last)) {
      await this.tryAsking(() => this.cluster.deleteConfigMap(this.name, signal), signal);
      return { kind: 'startFailed', failure: this.retracted };
    }
    return this.withCause(readVanished(last), signal);
  }

  /** Who removed or killed it, where the cluster tells. */
  private async withCause(exit: WorkloadExit, signal: AbortSignal): Promise<WorkloadExit> {
    const { uid } = this;
    if (uid === null || !(exit.kind === 'removed' || wasKilled(exit))) return exit;
    const events = await this.tryAsking(() => this.cluster.eventsOf(uid, signal), signal);
    if (events === UNKNOWN) return exit;
    for (const { reason = '', message = reason } of events) {
      const kind = TAKEN_AWAY[reason];
      if (kind) return { kind, message: `The cluster took the pod away (${reason}): ${message}` };
    }
    return exit;
  }

  private async lastWarning(pod: ObservedPod, signal: AbortSignal): Promise<string | undefined> {
    const events = await this.tryAsking(() => this.cluster.eventsOf(pod.metadata.uid, signal), signal);
    if (events === UNKNOWN) return undefined;
    return events.filter(({ type }) => type === 'Warning').at(-1)?.message;
  }

  /** A server that is away says nothing about the pod. */
  private async tryAsking<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T | typeof UNKNOWN> {
    try {
      return await abortable(ask(), signal);
    } catch (error) {
      if (error instanceof RuntimeUnavailableError) return UNKNOWN;
      throw error;
    }
  }
}

/** A kubelet that evicts may report the end of the container before it says that it was its own doing. */
function wasKilled(exit: WorkloadExit): boolean {
  return exit.kind === 'exited' && KILLED_EXIT_CODES.includes(exit.exitCode) && !exit.oomKilled;
}

/** 128 + SIGKILL, and 128 + SIGTERM, which the runner passes on. */
const KILLED_EXIT_CODES = [137, 143];
const UNKNOWN = Symbol('unknown');
/** Soon enough after an answer that changed nothing, or none. */
const RETRY_MS = 500;
const LOST: WorkloadExit = { kind: 'lost', message: 'The pod is not there any more.' };
