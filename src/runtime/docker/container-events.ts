import { Backoff } from '../../common/async/abort.js';
import { messageOf } from '../../common/app-error.js';
import { Bell } from '../../common/async/bell.js';
import type { Log } from '../../common/log.js';
import { mayRun } from './container-exit.js';
import type { DockerEngine } from './docker-engine.js';
import { linesOf } from '../lines.js';

/**
 * The engine answers before it listens, so that an event may fall between; it is asked to repeat what happened shortly
 * before. An event twice is harmless: it only makes a wait look again.
 */
const OVERLAP_SECONDS = 5;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5000;
/**
 * Most containers that somebody begins to wait for have just been started, and many end within this time: they are looked
 * at once, when the stream tells of their end.
 */
const FIRST_LOOK_MS = 100;

/** One container that somebody waits for. */
export interface ContainerWatch {
  /**
   * Resolves when the container may have changed: look again. For the first time when the stream has come to listen (or
   * could not be opened), or a moment after this call when it does already, so that whoever then looks cannot miss what
   * comes after. @throws when the events are closed
   */
  changed(signal?: AbortSignal): Promise<void>;
  stop(): void;
}

/**
 * One stream of the engine's events for all waits together, open while there are waits. It heals itself: whenever it
 * ends it is opened again, and the containers are looked over by one list; and because a connection can also go silent
 * without ending, they are looked over every `reconcileMs` too.
 */
export class ContainerEvents {
  private readonly watches = new Map<string, Set<Bell>>();
  /** Bells of watches that were made while nothing listened. */
  private readonly unrung = new Set<Bell>();
  private following?: AbortController;
  private attempt?: AbortController;
  private isListening = false;
  private isAway = false;
  private closed?: Error;

  constructor(
    private readonly engine: DockerEngine,
    private readonly label: string,
    private readonly reconcileMs: number,
    private readonly log: Log,
  ) {}

  watch(id: string): ContainerWatch {
    const bell = new Bell();
    this.watches.set(id, (this.watches.get(id) ?? new Set()).add(bell));
    const firstLook = this.isListening ? setTimeout(() => bell.ring(), FIRST_LOOK_MS) : undefined;
    if (!firstLook) this.unrung.add(bell);
    if (!this.closed) this.follow();
    return {
      changed: (signal) => this.changed(bell, signal),
      stop: () => {
        clearTimeout(firstLook);
        this.unwatch(id, bell);
      },
    };
  }

  /** Stops for good; every wait is told `why`. */
  close(why: Error): void {
    this.closed = why;
    for (const id of this.watches.keys()) this.ring(id);
    this.rest();
  }

  private async changed(bell: Bell, signal?: AbortSignal): Promise<void> {
    if (!this.closed) await bell.wait(undefined, signal);
    if (this.closed) throw this.closed;
    signal?.throwIfAborted();
  }

  private rest(): void {
    this.following?.abort();
    this.following = undefined;
    this.isListening = false;
  }

  private unwatch(id: string, bell: Bell): void {
    this.unrung.delete(bell);
    const bells = this.watches.get(id);
    bells?.delete(bell);
    if (bells?.size === 0) this.watches.delete(id);
    if (this.watches.size === 0) this.rest();
  }

  private follow(): void {
    if (this.following) return;
    this.following = new AbortController();
    void this.keepListening(this.following.signal);
  }

  private async keepListening(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
    const timer = setInterval(() => void this.checkHearing(signal), this.reconcileMs);
    while (!signal.aborted) {
      const why = await this.listen(signal, () => backoff.reset()).catch(messageOf);
      if (signal.aborted) break;
      this.pause(why);
      await backoff.wait(signal);
    }
    clearInterval(timer);
  }

  /** One line in the log for an outage, however often the stream is tried again. */
  private pause(why: string): void {
    if (!this.isAway)
      this.log.warn({}, `The engine's events broke off, and are asked for until they come: ${why}`);
    this.isAway = true;
    this.isListening = false;
    this.ringUnrung();
  }

  private resume(): void {
    if (this.isAway) this.log.info({}, "The engine's events come again.");
    this.isAway = false;
    this.isListening = true;
    this.ringUnrung();
  }

  /** Opens the stream and takes events from it until it ends; the message says why it did. */
  private async listen(signal: AbortSignal, onOpen: () => void): Promise<string> {
    const attempt = new AbortController();
    const giveUp = (): void => attempt.abort();
    signal.addEventListener('abort', giveUp, { once: true });
    this.attempt = attempt;
    try {
      const lines = await this.open(attempt.signal);
      onOpen();
      const wasAway = this.isAway;
      this.resume();
      if (wasAway) void this.reconcile(signal);
      for await (const line of lines) this.take(line);
      return 'the engine closed it';
    } finally {
      signal.removeEventListener('abort', giveUp);
      attempt.abort();
    }
  }

  private async open(signal: AbortSignal): Promise<AsyncIterable<string>> {
    const filters = { type: ['container'], label: [this.label], event: ['die', 'destroy'] };
    const since = Math.floor(Date.now() / 1000) - OVERLAP_SECONDS;
    const stream = await this.engine.events(filters, since, signal);
    signal.throwIfAborted();
    return linesOf(stream);
  }

  private take(line: string): void {
    const id = idOf(line);
    if (id !== undefined) this.ring(id);
  }

  /** An end that no event told of means that the stream is deaf: it is given up and opened again. */
  private async checkHearing(signal: AbortSignal): Promise<void> {
    if ((await this.reconcile(signal)) && this.isListening) this.attempt?.abort();
  }

  /** Looks all watched containers over with one request; says whether one of them runs no more. */
  private async reconcile(signal: AbortSignal): Promise<boolean> {
    const watched = [...this.watches.keys()];
    try {
      const containers = await this.engine.list(this.label, signal);
      const running = new Set(containers.filter((each) => mayRun(each.State)).map((each) => each.Id));
      const ended = watched.filter((id) => !running.has(id) && this.watches.has(id));
      for (const id of ended) this.ring(id);
      return ended.length > 0;
    } catch {
      return false; // the engine is away; the next round comes
    }
  }

  private ring(id: string): void {
    for (const bell of this.watches.get(id) ?? []) bell.ring();
  }

  private ringUnrung(): void {
    for (const bell of this.unrung) bell.ring();
    this.unrung.clear();
  }
}

function idOf(line: string): string | undefined {
  try {
    const event = JSON.parse(line) as { Actor?: { ID?: string } } | null;
    return event?.Actor?.ID;
  } catch {
    return undefined;
  }
}
