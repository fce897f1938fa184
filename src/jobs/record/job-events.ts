import { Injectable } from '@nestjs/common';

type Listener = (jobId: string) => void;

/**
 * "Something about this job changed". Only a hint to look at the database: it may be raised too often, and one from
 * another replica may be missing.
 */
@Injectable()
export class JobEvents {
  private readonly byJob = new Map<string, Set<Listener>>();
  private readonly all = new Set<Listener>();
  private readonly queued = new Set<() => void>();
  private readonly own = new Set<Listener>();
  private readonly ownQueued = new Set<() => void>();

  /** This replica changed the job. */
  emit(jobId: string): void {
    this.hear(jobId);
    for (const listener of this.own) listener(jobId);
  }

  /** The job was changed, by whomever. */
  hear(jobId: string): void {
    for (const listener of [...(this.byJob.get(jobId) ?? []), ...this.all]) listener(jobId);
  }

  /** Calls `listener` at every change of one job; returns how to stop it. */
  onJob(jobId: string, listener: Listener): () => void {
    const listeners = this.byJob.get(jobId) ?? new Set();
    this.byJob.set(jobId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.byJob.get(jobId) === listeners) this.byJob.delete(jobId);
    };
  }

  /** Something may be claimed now: this replica put it there. */
  emitQueued(): void {
    this.hearQueued();
    for (const listener of this.ownQueued) listener();
  }

  hearQueued(): void {
    for (const listener of [...this.queued]) listener();
  }

  /** Calls `listener` at every change by this replica. */
  onOwn(listener: Listener): void {
    this.own.add(listener);
  }

  onOwnQueued(listener: () => void): void {
    this.ownQueued.add(listener);
  }

  /** The jobs that somebody follows one by one. */
  followed(): string[] {
    return [...this.byJob.keys()];
  }

  /** Somebody follows all jobs. */
  get isAnyFollowed(): boolean {
    return this.all.size > 0;
  }

  onQueued(listener: () => void): () => void {
    this.queued.add(listener);
    return () => void this.queued.delete(listener);
  }

  onAny(listener: Listener): () => void {
    this.all.add(listener);
    return () => void this.all.delete(listener);
  }
}
