import pg from 'pg';
import { Backoff, childSignal, settledWithin, sleep } from '../../common/async/abort.js';
import { Bell } from '../../common/async/bell.js';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { hangUp } from './postgres-pool.js';

/** How often the listener sends a probe to itself, and how long it waits for the probe. */
const PROBE_EVERY_MS = 2_000;
const PROBE_PATIENCE_MS = 3_000;
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 5_000;
const GOODBYE_MS = 500;

export interface ListenerOptions {
  connect: () => pg.Client;
  channel: string;
  /** Sends `text` on the channel, over another connection. */
  say: (text: string) => Promise<void>;
  onText: (text: string) => void;
  /** Called when the listener begins to hear, and each time it may have missed a text. */
  onGap: () => void;
  log: Log;
}

/**
 * Listens on a PostgreSQL channel for as long as it is asked to, over any number of broken connections. A connection may
 * die silently (a vanished peer, a pooler that drops LISTEN), so the listener regularly sends a probe to itself, and takes
 * the connection for dead when the probe does not arrive.
 */
export class Listener {
  private hearsNow = false;
  private isProbeHeard = false;
  private readonly heard = new Bell();
  private readonly word = `probe ${crypto.randomUUID()}`;

  constructor(private readonly options: ListenerOptions) {}

  /** Whether the last probe arrived. */
  get isLive(): boolean {
    return this.hearsNow;
  }

  /** Runs until `signal` aborts. Never rejects. */
  async listen(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(FIRST_RETRY_MS, MAX_RETRY_MS);
    while (!signal.aborted) {
      try {
        await this.listenOnce(signal, () => backoff.reset());
      } catch (error) {
        if (this.hearsNow)
          this.options.log.warn({ err: messageOf(error) }, 'other servers are not heard now');
      }
      this.hearsNow = false;
      this.options.onGap();
      await backoff.wait(signal);
    }
  }

  private async listenOnce(signal: AbortSignal, onLive: () => void): Promise<void> {
    const client = this.options.connect();
    const either = childSignal(signal);
    client.on('error', () => either.abort()).on('end', () => either.abort());
    client.on('notification', ({ payload = '' }) => this.hear(payload));
    try {
      await client.connect();
      await client.query(`listen ${pg.escapeIdentifier(this.options.channel)}`);
      while (!either.signal.aborted) {
        await this.probe(either.signal);
        if (!this.hearsNow) this.options.onGap();
        this.hearsNow = true;
        onLive();
        await sleep(PROBE_EVERY_MS, either.signal);
      }
    } finally {
      either.release();
      await discard(client);
    }
  }

  private async probe(signal: AbortSignal): Promise<void> {
    this.isProbeHeard = false;
    await this.options.say(this.word);
    const deadline = performance.now() + PROBE_PATIENCE_MS;
    while (!this.isProbeHeard) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || signal.aborted) throw new Error('the listening connection has gone silent');
      await this.heard.wait(leftMs, signal);
    }
  }

  /** Never throws: whoever may use the database can send any text on the channel. */
  private pass(text: string): void {
    try {
      this.options.onText(text);
    } catch (error) {
      this.options.log.warn({ err: messageOf(error) }, 'what another server said was not understood');
      this.options.onGap();
    }
  }

  private hear(text: string): void {
    if (!text.startsWith('probe ')) return this.pass(text);
    if (text !== this.word) return;
    this.isProbeHeard = true;
    this.heard.ring();
  }
}

/** Closes the connection; breaks it off when the peer has vanished and does not answer. */
async function discard(client: pg.Client): Promise<void> {
  await settledWithin(client.end(), GOODBYE_MS);
  hangUp(client);
}
