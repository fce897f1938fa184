import { Inject, Injectable } from '@nestjs/common';
import { sleep } from '../common/async/abort.js';
import { messageOf } from '../common/app-error.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import { LeaseKeeper } from './takeover/lease-keeper.js';
import { Database } from '../database/database.js';
import { OrphanSweeper } from './upkeep/orphan-sweeper.js';
import { Recovery } from './takeover/recovery.js';
import { RetentionKeeper } from './upkeep/retention-keeper.js';

/** A job of a dead server waits for another server at most this long after its lease has run out. */
const ADOPT_EVERY_MS = 2_000;

/** What goes on in the background beside the dispatcher. */
@Injectable()
export class ExecutionLoops {
  constructor(
    @Inject(LOG) private readonly log: Log,
    private readonly recovery: Recovery,
    private readonly sweeper: OrphanSweeper,
    private readonly leases: LeaseKeeper,
    private readonly database: Database,
    private readonly retention: RetentionKeeper,
  ) {}

  /** Once, before new jobs are taken. Never rejects. */
  async recover(signal: AbortSignal): Promise<void> {
    await this.database.whenOpen(signal);
    if (signal.aborted) return;
    try {
      await this.recovery.adoptAll(signal);
    } catch (error) {
      this.log.warn({ err: messageOf(error) }, 'jobs of other servers could not be looked for; trying again');
    }
  }

  /** Runs until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.sweeper.sweepRegularly(signal),
      this.leases.keep(signal),
      this.retention.keep(signal),
      this.adoptRegularly(signal),
    ]);
  }

  private async adoptRegularly(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(ADOPT_EVERY_MS, signal);
      await this.recover(signal);
    }
  }
}
