import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { Inject, Injectable } from '@nestjs/common';
import { newId } from '../common/ids.js';
import { messageOf } from '../common/app-error.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import { DatabaseConfig } from '../config/parts/database-config.js';
import { Database } from '../database/database.js';
import { Listener } from '../database/postgres/listener.js';
import { createClient } from '../database/postgres/postgres-pool.js';
import { JobEvents } from './record/job-events.js';

const CHANNEL = 'maps_jobs';
/** What changes within so many milliseconds goes out in one statement: a NOTIFY inside each commit would halve them. */
const GATHER_MS = 10;
/** PostgreSQL takes payloads of less than 8000 bytes. */
const IDS_PER_HINT = 180;
/** Beyond so many changed jobs, looking at everything is cheaper than naming them. */
const MAX_IDS = 2_000;

interface Hint {
  from: string;
  jobs?: string[];
  /** Something may be claimed. */
  queued?: boolean;
  /** More jobs have changed than are named. */
  all?: boolean;
}

/**
 * Passes "something about this job changed" between replicas, by NOTIFY. Only a hint: rows are rechecked in any case,
 * more often while the listener is not connected. A lost hint costs time and nothing else.
 */
@Injectable()
export class ReplicaHints implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly id = newId();
  private readonly stopping = new AbortController();
  private readonly changed = new Set<string>();
  private isQueued = false;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly config: DatabaseConfig,
    @Inject(LOG) private readonly log: Log,
    private readonly database: Database,
    private readonly events: JobEvents,
  ) {}

  onApplicationBootstrap(): void {
    if (!this.database.isShared) return;
    const listener = new Listener({
      connect: () => createClient(this.config),
      channel: CHANNEL,
      say: (text) => this.database.notify(CHANNEL, text),
      onText: (text) => this.hear(JSON.parse(text) as Hint),
      onGap: () => this.events.publishUnknownRemote(),
      log: this.log,
    });
    this.database.hearBy(listener);
    this.events.onLocal((jobId) => this.gather(() => this.changed.add(jobId)));
    this.events.onQueuedLocal(() => this.gather(() => (this.isQueued = true)));
    this.running = this.database
      .whenOpen(this.stopping.signal)
      .then(() => listener.listen(this.stopping.signal));
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    this.stopping.abort();
    await this.running;
  }

  private gather(note: () => void): void {
    note();
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.tell();
    }, GATHER_MS).unref();
  }

  private async tell(): Promise<void> {
    const ids = [...this.changed];
    const queued = this.isQueued;
    this.changed.clear();
    this.isQueued = false;
    try {
      if (ids.length > MAX_IDS) return await this.say({ all: true, queued });
      for (let at = 0; at < Math.max(ids.length, 1); at += IDS_PER_HINT)
        await this.say({ jobs: ids.slice(at, at + IDS_PER_HINT), queued: queued && at === 0 });
    } catch (error) {
      this.log.debug({ err: messageOf(error) }, 'other servers could not be told of a change');
    }
  }

  private say(hint: Omit<Hint, 'from'>): Promise<void> {
    return this.database.notify(CHANNEL, JSON.stringify({ from: this.id, ...hint }));
  }

  private hear({ from, jobs = [], queued, all }: Hint): void {
    if (from === this.id) return;
    for (const id of jobs) this.events.publishRemote(id);
    if (queued) this.events.publishQueuedRemote();
    if (all) this.events.publishUnknownRemote();
  }
}
