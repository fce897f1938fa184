import { Injectable } from '@nestjs/common';

type Listener = (jobId: string) => void;

/**
 * "Something about this job changed", within this process. Only a hint to look at the database: it may be raised too
 * often, and a change by another replica raises nothing here.
 */
@Injectable()
export class JobEvents {
  private readonly byJob = new Map<string, Set<Listener>>();
  private readonly all = new Set<Listener>();
  private readonly queued = new Set<() => void>();

  emit(jobId: string): void {
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

  /** Something may be claimed now. */
  emitQueued(): void {
    for (const listener of [...this.queued]) listener();
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
