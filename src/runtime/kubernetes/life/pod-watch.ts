import { Backoff, sleep } from '../../../common/async/abort.js';
import { messageOf } from '../../../common/app-error.js';
import { Bell } from '../../../common/async/bell.js';
import type { Log } from '../../../common/log.js';
import { ApiStatusError } from '../api/api.errors.js';
import type { Cluster } from '../api/cluster.js';
import type { ObservedPod } from '../observed-pod.js';
import { withFirstDeletion } from '../observed-pod.js';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** The server closes a watch after this long, plus up to as much again, so that the replicas' do not end together. */
const WATCH_SECONDS = 240;
/** A watch that lived this long was sound: the next one may follow at once. */
const SOUND_MS = 5_000;
/** The server sends a bookmark every minute or so; a connection that says nothing for longer is dead. */
const SILENCE_MS = 150_000;
/** How long the watch is kept after the last wait: jobs come one after the other. */
const LINGER_MS = 30_000;
const ON_ITS_WAY_MS = 1_000;

/** What is known of a pod. */
export interface Sight {
  isThere: boolean;
  /** As it was seen last, also when it is not there any more; undefined when it never was. */
  last: ObservedPod | undefined;
}

/** One pod that somebody waits for. */
export interface PodFollower {
  /** Undefined while nothing is known yet. */
  current(): Sight | undefined;
  /** Resolves when the pod may have changed, or after `timeoutMs`. @throws when the watch is closed */
  changed(timeoutMs: number | undefined, signal: AbortSignal): Promise<void>;
  stop(): void;
}

/**
 * One list and one watch for all waits together, open while there are waits. It heals itself: a watch that ends, is too
 * far behind (410) or breaks is opened again, after a new list where that is needed; one that went silent is found out
 * by a list every `reconcileMs`, and by the bookmarks that do not come. Requests are bounded by the back-off.
 */
export class PodWatch {
  private readonly pods = new Map<string, ObservedPod>();
  /** Pods that went while somebody waited for them: their last state may tell how they ended. */
  private readonly gone = new Map<string, ObservedPod>();
  private readonly bells = new Map<string, Set<Bell>>();
  private running?: AbortController;
  private stream?: AbortController;
  private linger?: NodeJS.Timeout;
  private isListed = false;
  private isAway = false;
  private lastHeardAtMs = 0;
  private closed?: Error;

  constructor(
    private readonly cluster: Cluster,
    private readonly reconcileMs: number,
    private readonly log: Log,
  ) {}

  follow(name: string): PodFollower {
    const bell = new Bell();
    this.bells.set(name, (this.bells.get(name) ?? new Set()).add(bell));
    this.begin();
    return {
      current: () => this.sightOf(name),
      changed: async (timeoutMs, signal) => {
        if (!this.closed) await bell.wait(timeoutMs, signal);
        if (this.closed) throw this.closed;
        signal.throwIfAborted();
      },
      stop: () => this.unfollow(name, bell),
    };
  }

  /** A pod that was just made or read: the watch may not have told of it yet. */
  note(pod: ObservedPod): void {
    const { name } = pod.metadata;
    const known = this.pods.get(name);
    if (this.running && known?.metadata.uid !== pod.metadata.uid) this.put(pod);
  }

  /** Stops for good; every wait is told `why`. */
  close(why: Error): void {
    this.closed = why;
    this.end();
    for (const name of this.bells.keys()) this.ring(name);
  }

  private sightOf(name: string): Sight | undefined {
    const present = this.pods.get(name);
    if (present) return { isThere: true, last: present };
    return this.isListed ? { isThere: false, last: this.gone.get(name) } : undefined;
  }

  private unfollow(name: string, bell: Bell): void {
    const bells = this.bells.get(name);
    bells?.delete(bell);
    if (bells?.size === 0) {
      this.bells.delete(name);
      this.gone.delete(name);
    }
    if (this.bells.size === 0) this.linger = setTimeout(() => this.end(), LINGER_MS).unref();
  }

  private begin(): void {
    clearTimeout(this.linger);
    if (this.running || this.closed) return;
    this.running = new AbortController();
    void this.keepWatching(this.running.signal);
  }

  private end(): void {
    clearTimeout(this.linger);
    this.running?.abort();
    this.running = undefined;
    this.isListed = false;
    this.pods.clear();
    this.gone.clear();
  }

  private async keepWatching(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
    void this.checkHearing(signal);
    let version: string | undefined;
    while (!signal.aborted) {
      const beganAtMs = Date.now();
      try {
        version ??= await this.relist(signal);
        version = await this.watchOnce(version, signal);
      } catch (error) {
        if (signal.aborted) break;
        version = undefined;
        this.noteOutage(error);
      }
      if (Date.now() - beganAtMs > SOUND_MS) backoff.reset();
      await backoff.wait(signal);
    }
  }

  /** Takes changes until the stream ends well; returns the version to go on from, or undefined to list again. */
  private async watchOnce(from: string, signal: AbortSignal): Promise<string | undefined> {
    const stream = new AbortController();
    const onAbort = (): void => stream.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    this.stream = stream;
    let version: string | undefined = from;
    try {
      const seconds = Math.round(WATCH_SECONDS * (1 + Math.random()));
      const lines = await this.cluster.watchPods(from, seconds, stream.signal);
      this.lastHeardAtMs = Date.now();
      this.noteReturn();
      for await (const line of lines) {
        version = this.take(line);
        if (version === undefined) break;
      }
      return version;
    } catch (error) {
      // Too far behind is no outage, and neither is a stream that was given up for a new one.
      if (isGone(error) || (stream.signal.aborted && !signal.aborted)) return undefined;
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      stream.abort();
    }
  }

  /** Returns the version the stream has come to; undefined when it cannot go on from there. */
  private take(line: string): string | undefined {
    this.lastHeardAtMs = Date.now();
    const event = JSON.parse(line) as { type: string; object: ObservedPod };
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        this.put(event.object);
        break;
      case 'DELETED':
        this.drop(event.object);
        break;
      case 'BOOKMARK':
        break;
      default:
        return undefined; // ERROR, with a 410 mostly
    }
    return event.object.metadata.resourceVersion;
  }

  /** Looks at all pods at once; returns the version of that look. */
  private async relist(signal: AbortSignal): Promise<string> {
    const { items, metadata } = await this.cluster.listPods(signal);
    signal.throwIfAborted();
    this.isListed = true;
    const present = new Set(items.map((pod) => pod.metadata.name));
    for (const pod of items) this.put(pod);
    for (const [name, pod] of [...this.pods]) if (!present.has(name)) this.drop(pod);
    // A wait for a pod that is not there hears of that, too.
    for (const name of this.bells.keys()) if (!present.has(name)) this.ring(name);
    return metadata.resourceVersion;
  }

  /** A list shows what the stream should have told of; a stream that did not tell is given up and opened again. */
  private async checkHearing(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.reconcileMs, signal);
      if (signal.aborted) return;
      try {
        if (this.isSilent() || (await this.hasMissed(signal))) this.stream?.abort();
      } catch {
        // the server is away; the stream notices, or the next round does
      }
    }
  }

  private isSilent(): boolean {
    return Date.now() - this.lastHeardAtMs > SILENCE_MS;
  }

  private async hasMissed(signal: AbortSignal): Promise<boolean> {
    if (this.bells.size === 0) return false;
    const { items } = await this.cluster.listPods(signal);
    const listed = new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
    const known = new Map([...this.bells.keys()].map((name) => [name, this.versionOf(name)]));
    const late = [...known].filter(([name, version]) => version !== listed.get(name));
    if (late.length === 0) return false;
    // What is only on its way will have come by then.
    await sleep(Math.min(ON_ITS_WAY_MS, this.reconcileMs), signal);
    return late.some(([name, version]) => this.bells.has(name) && this.versionOf(name) === version);
  }

  private versionOf(name: string): string | undefined {
    return this.pods.get(name)?.metadata.resourceVersion;
  }

  private put(pod: ObservedPod): void {
    this.pods.set(pod.metadata.name, withFirstDeletion(pod, this.pods.get(pod.metadata.name)));
    this.gone.delete(pod.metadata.name);
    this.ring(pod.metadata.name);
  }

  /** An event of an earlier pod of this name says nothing about the present one. */
  private drop(pod: ObservedPod): void {
    const { name, uid } = pod.metadata;
    const known = this.pods.get(name);
    if (known && known.metadata.uid !== uid) return;
    this.pods.delete(name);
    if (this.bells.has(name)) this.gone.set(name, withFirstDeletion(pod, known));
    this.ring(name);
  }

  private ring(name: string): void {
    for (const bell of this.bells.get(name) ?? []) bell.ring();
  }

  /** One line in the log for an outage, however often the watch is tried again. */
  private noteOutage(error: unknown): void {
    if (!this.isAway)
      this.log.warn(
        {},
        `The watch on our pods broke off, and is tried again until it holds: ${messageOf(error)}`,
      );
    this.isAway = true;
  }

  private noteReturn(): void {
    if (this.isAway) this.log.info({}, 'The watch on our pods holds again.');
    this.isAway = false;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof ApiStatusError && error.status === 410;
}
