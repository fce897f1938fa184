import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import type { WarmPoolBounds } from '../../config/parts/pool-config.js';
import type { RuntimeProvider, WorkloadExit } from '../runtime-provider.js';
import { ArrivalRate, targetSize } from './arrival-rate.js';
import { CircuitBreaker } from './circuit-breaker.js';
import { Heartbeat } from './heartbeat.js';
import { REFILL_DELAY_MS, RefillPace } from './refill-pace.js';
import type { WarmWorker } from './warm-worker.js';
import { newWorkerId } from './warm-worker.js';
import type { WorkerLauncher, WorkerSpec } from './worker-launcher.js';
import { exitText, publicReason } from './worker-launcher.js';
import type { WorkerNeed } from './worker-need.js';
import { heardTooLate } from './worker-need.js';

/** How long a worker takes to get ready, until the first one has been measured. */
const FIRST_GUESS_SECONDS = 2;
/** The weight of the newest measurement in the average. */
const NEWEST = 0.3;
/** What the pool needs of a new worker beside its id. */
export type WorkerTemplate = Omit<WorkerSpec, 'id' | 'environment' | 'preload'>;

export interface PoolStatus {
  readonly environment: string;
  readonly min: number;
  readonly max: number;
  /** How many are wanted now. */
  readonly target: number;
  readonly ready: number;
  readonly starting: number;
  /** Jobs that got a worker, and jobs that a worker could have taken but none was ready; since this server started. */
  readonly hits: number;
  readonly misses: number;
  /** Why workers do not come up; undefined when they do. */
  readonly message: string | undefined;
}

interface Member {
  readonly worker: WarmWorker;
  /** Undefined for a worker of an older runner, which shows no sign of life. */
  readonly heartbeat: Heartbeat | undefined;
  /** Stops waiting for the worker's end. */
  readonly release: () => void;
}

/** The workers of one environment: each waits, takes one job and is gone. */
export class EnvironmentPool {
  /** Waiting workers by id, the one that has waited longest first. */
  private readonly ready = new Map<string, Member>();
  /** Workers that were taken for jobs whose commit is under way. */
  private readonly taken = new Map<string, Member>();
  /** Ids of workers that are being started. */
  private readonly starting = new Set<string>();
  /** Starts and removals under way. */
  private readonly pending = new Set<Promise<void>>();
  private readonly arrivals = new ArrivalRate();
  private readonly breaker = new CircuitBreaker();
  private fillSeconds = FIRST_GUESS_SECONDS;
  private readonly pace = new RefillPace();
  private hits = 0;
  private misses = 0;
  private hasWarned = false;
  private isEmptied = false;

  constructor(
    readonly bounds: WarmPoolBounds,
    private readonly template: WorkerTemplate,
    private readonly maxAgeMs: number,
    private readonly runtime: RuntimeProvider,
    private readonly launcher: WorkerLauncher,
    private readonly log: Log,
    /** Called when there may be something to do. */
    private readonly changed: () => void,
  ) {}

  get image(): string {
    return this.template.image;
  }

  /** Takes out the fitting worker that has waited longest; otherwise tells why there is none. */
  take(need: WorkerNeed, nowMs: number): WarmWorker | string {
    // After a pause of this server, workers in here may have ended by themselves.
    const fresh = [...this.ready.values()].filter(
      (each) => !this.isAged(each.worker, nowMs) && !isSilent(each),
    );
    const member = fresh.find(({ worker }) => heardTooLate(need, worker).length === 0);
    const [first] = fresh;
    if (!member && first)
      return `The job sets ${heardTooLate(need, first.worker).join(', ')}, which the workers' libraries have read.`;
    this.noteArrival(nowMs);
    if (!member) {
      this.misses += 1;
      return 'No worker was ready.';
    }
    this.hits += 1;
    this.ready.delete(member.worker.id);
    member.release();
    this.taken.set(member.worker.id, member);
    return member.worker;
  }

  /** Forgets a taken worker: it belongs to a job, or is gone. */
  release(id: string): void {
    this.taken.delete(id);
  }

  /** Puts a taken worker back: it waits on, as if it had not been taken. */
  giveBack(id: string): void {
    const member = this.taken.get(id);
    if (!member) return;
    this.taken.delete(id);
    this.hits -= 1;
    this.admit(member.worker, member.heartbeat);
    if (this.isEmptied) void this.empty();
  }

  /** Begins to start the missing workers; does not wait for them. */
  fill(nowMs: number, signal: AbortSignal): void {
    if (this.pace.isQuiet(nowMs)) return;
    const atOnce = this.breaker.allowance(nowMs, this.pace.startsAtOnce(nowMs));
    const missing = this.target(nowMs) - this.ready.size - this.starting.size;
    for (let n = Math.min(missing, atOnce - this.starting.size); n > 0; n--) this.track(this.addOne(signal));
  }

  /** Removes the waiting workers for which `why` gives a reason. */
  retire(why: (worker: WarmWorker) => string | undefined): void {
    for (const member of [...this.ready.values()]) {
      const reason = why(member.worker);
      if (reason === undefined) continue;
      this.log.debug({ worker: member.worker.workload, reason }, 'a worker is retired');
      this.drop(member);
    }
  }

  /** Removes workers that have waited too long: they would end by themselves soon. */
  retireAged(nowMs: number): void {
    this.retire((worker) => (this.isAged(worker, nowMs) ? 'it has waited too long' : undefined));
  }

  /** Looks at the heartbeats of the waiting workers, and removes those that have gone silent. */
  async listen(): Promise<void> {
    await Promise.all(
      [...this.ready.values()].map(async ({ worker, heartbeat }) =>
        heartbeat?.note(await this.launcher.touchedAtMs(worker.id), performance.now()),
      ),
    );
    for (const member of [...this.ready.values()].filter(isSilent)) {
      this.log.warn({ worker: member.worker.workload }, 'a worker does not answer any more; it is replaced');
      this.drop(member);
      this.changed();
    }
  }

  get readyWorkloads(): string[] {
    return [...this.ready.values()].map(({ worker }) => worker.workload);
  }

  status(nowMs: number): PoolStatus {
    const { environment, min, max } = this.bounds;
    return {
      environment,
      min,
      max,
      target: this.target(nowMs),
      ready: this.ready.size,
      starting: this.starting.size,
      hits: this.hits,
      misses: this.misses,
      message: this.breaker.message,
    };
  }

  holds(id: string): boolean {
    return this.starting.has(id) || this.ready.has(id) || this.taken.has(id);
  }

  /** Removes every worker. Resolves when they are gone, or have been left to the sweeper. */
  async empty(): Promise<void> {
    this.isEmptied = true;
    for (const member of [...this.ready.values()]) this.drop(member);
    await Promise.all(this.pending);
  }

  /** Called only for jobs that a worker could take: for others no worker need wait. */
  private noteArrival(nowMs: number): void {
    this.arrivals.record(nowMs);
    if (this.pace.noteArrival(nowMs)) setTimeout(this.changed, REFILL_DELAY_MS).unref();
  }

  private isAged({ readySinceMs }: WarmWorker, nowMs: number): boolean {
    return nowMs - readySinceMs > this.maxAgeMs;
  }

  private track(work: Promise<void>): void {
    this.pending.add(work);
    void work.finally(() => this.pending.delete(work));
  }

  private target(nowMs: number): number {
    return targetSize(this.bounds, this.arrivals.perSecond(nowMs), this.fillSeconds);
  }

  private async addOne(signal: AbortSignal): Promise<void> {
    const { environment, preload } = this.bounds;
    const id = newWorkerId();
    this.starting.add(id);
    const beganAtMs = Date.now();
    try {
      const { worker, report } = await this.launcher.launch(
        { ...this.template, id, environment, preload },
        signal,
      );
      this.noteReport(report.failed);
      const seconds = (Date.now() - beganAtMs) / 1000;
      this.fillSeconds += (seconds - this.fillSeconds) * NEWEST;
      this.noteSuccess();
      if (signal.aborted) await this.launcher.remove(id, worker.handle);
      else this.admit(worker, report.hasHeartbeat ? new Heartbeat(performance.now()) : undefined);
    } catch (error) {
      if (!signal.aborted) this.noteFailure(publicReason(error), error);
    } finally {
      this.starting.delete(id);
      this.changed();
    }
  }

  private admit(worker: WarmWorker, heartbeat: Heartbeat | undefined): void {
    const letGo = new AbortController();
    const member: Member = { worker, heartbeat, release: () => letGo.abort() };
    this.ready.set(worker.id, member);
    this.runtime.wait(worker.handle, letGo.signal).then(
      (exit) => this.noteEnd(member, exit),
      () => undefined, // taken, retired, or the server stops
    );
  }

  private noteEnd(member: Member, exit: WorkloadExit): void {
    if (!this.ready.has(member.worker.id)) return;
    this.drop(member);
    const why = `A worker ended while it waited: ${exitText(exit)}`;
    // Counted as a failure: else workers that die at once would be made again and again.
    if (!this.isAged(member.worker, Date.now())) this.noteFailure(why);
    this.changed();
  }

  private drop(member: Member): void {
    this.ready.delete(member.worker.id);
    member.release();
    this.track(this.launcher.remove(member.worker.id, member.worker.handle));
  }

  private noteReport(failed: readonly { module: string; reason: string }[]): void {
    if (failed.length === 0 || this.hasWarned) return;
    this.hasWarned = true;
    this.log.warn(
      { environment: this.bounds.environment, failed },
      'workers import nothing ahead, because a module cannot be imported',
    );
  }

  private noteSuccess(): void {
    if (this.breaker.message !== undefined)
      this.log.info({ environment: this.bounds.environment }, 'workers come up again');
    this.breaker.succeed(Date.now());
  }

  private noteFailure(why: string, error?: unknown): void {
    const isNew = this.breaker.message === undefined;
    const retryInMs = Math.round(this.breaker.fail(Date.now(), why));
    const fields = {
      environment: this.bounds.environment,
      err: error === undefined ? why : messageOf(error),
      retryInMs,
    };
    if (isNew) this.log.warn(fields, 'a worker did not come up; jobs start cold meanwhile');
    else this.log.debug(fields, 'a worker did not come up again');
  }
}

function isSilent({ heartbeat }: Member): boolean {
  return heartbeat?.isSilent(performance.now()) ?? false;
}
