import { Injectable } from '@nestjs/common';

type Listener = (jobId: string) => void;
/** Is given no id where any job may have changed. */
type AnyListener = (jobId?: string) => void;

/**
 * "Something about this job changed". An event is only a hint to look at the database: it may come too often, and events
 * of other replicas may be lost.
 */
@Injectable()
export class JobEvents {
  private readonly byJob = new Map<string, Set<Listener>>();
  private readonly all = new Set<AnyListener>();
  private readonly queued = new Set<() => void>();
  private readonly local = new Set<Listener>();
  private readonly queuedLocal = new Set<() => void>();

  /** This replica changed the job. */
  publishLocal(jobId: string): void {
    this.notify(jobId);
    for (const listener of this.local) listener(jobId);
  }

  /** Another replica changed the job, or may have. */
  publishRemote(jobId: string): void {
    this.notify(jobId);
  }

  /** Other replicas may have changed jobs, and which is not known. */
  publishUnknownRemote(): void {
    for (const jobId of [...this.byJob.keys()]) this.notifyJob(jobId);
    for (const listener of [...this.all]) listener();
    this.notifyQueued();
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

  /** This replica queued a job, which may be claimed. */
  publishQueuedLocal(): void {
    this.notifyQueued();
    for (const listener of this.queuedLocal) listener();
  }

  /** Another replica queued a job, or may have. */
  publishQueuedRemote(): void {
    this.notifyQueued();
  }

  /** Calls `listener` at every change by this replica. */
  onLocal(listener: Listener): void {
    this.local.add(listener);
  }

  /** Calls `listener` whenever this replica queues a job. */
  onQueuedLocal(listener: () => void): void {
    this.queuedLocal.add(listener);
  }

  onQueued(listener: () => void): () => void {
    this.queued.add(listener);
    return () => void this.queued.delete(listener);
  }

  onAny(listener: AnyListener): () => void {
    this.all.add(listener);
    return () => void this.all.delete(listener);
  }

  private notify(jobId: string): void {
    this.notifyJob(jobId);
    for (const listener of [...this.all]) listener(jobId);
  }

  private notifyJob(jobId: string): void {
    for (const listener of [...(this.byJob.get(jobId) ?? [])]) listener(jobId);
  }

  private notifyQueued(): void {
    for (const listener of [...this.queued]) listener();
  }
}
