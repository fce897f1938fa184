import { Injectable } from '@nestjs/common';
import type { Taker } from './store/claimed-job.js';
import type { StoredJob } from './store/job.repository.js';

export type Store = (taker?: Taker) => Promise<StoredJob>;

/** Whoever runs jobs in this process: calls `store` with itself when it has a free place, and begins what it has taken. */
export type Admit = (store: Store) => Promise<StoredJob>;

/**
 * Where a job that nobody waits before begins without waiting for its turn: it is stored and taken by one commit. Without
 * anybody who runs jobs here it is stored, and waits.
 */
@Injectable()
export class JobPlaces {
  private admit: Admit | undefined;

  /** Lets `admit` take new jobs; returns how to stop that. */
  offer(admit: Admit): () => void {
    this.admit = admit;
    return () => (this.admit = undefined);
  }

  store(store: Store): Promise<StoredJob> {
    return this.admit ? this.admit(store) : store();
  }
}
