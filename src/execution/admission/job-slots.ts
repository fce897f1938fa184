import { Injectable } from '@nestjs/common';
import type { Admission, Slot } from '../../jobs/job-admission.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { JobSubmission } from '../../jobs/record/job-submission.js';
import { RuntimeHealthMonitor } from '../../runtime/runtime-health.js';
import { AttemptRunner } from '../attempt/attempt-runner.js';
import { RunningAttempts } from '../attempt/running-attempts.js';
import { LEASE_MS, Replica } from '../replica.js';
import { StartPlanner } from './start-planner.js';

/** The free slots of this replica, and what begins in them. */
@Injectable()
export class JobSlots implements Admission {
  private listener: () => void = () => undefined;
  private signal = AbortSignal.abort();

  constructor(
    private readonly running: RunningAttempts,
    private readonly runner: AttemptRunner,
    private readonly health: RuntimeHealthMonitor,
    private readonly planner: StartPlanner,
    private readonly replica: Replica,
  ) {
    running.whenFree(() => this.listener());
    health.onRecovery(() => this.listener());
  }

  /** Until `signal` aborts there are slots; `onFree` is called when one may be free again. */
  open(onFree: () => void, signal: AbortSignal): void {
    this.listener = onFree;
    this.signal = signal;
  }

  /** How many jobs may begin now; none while the runtime does not answer. */
  get free(): number {
    return this.signal.aborted || !this.health.isHealthy ? 0 : this.running.free;
  }

  reserve(id: string, submission: JobSubmission): Slot | undefined {
    if (this.free === 0) return undefined;
    const plan = this.planner.plan({ ...submission, id, attempt: 1 }, submission);
    this.running.reserve(1);
    const release = (): void => {
      this.running.release(1);
      // A waiting job may have been left in the queue because this slot was reserved.
      this.listener();
    };
    return {
      take: { owner: this.replica.id, leaseMs: LEASE_MS, attempt: plan.attempt },
      launch: (claim) => {
        this.planner.commit(plan);
        this.running.release(1);
        this.launch(claim);
      },
      release: () => {
        this.planner.giveBack(plan);
        release();
      },
      abandon: () => {
        this.planner.discard(plan);
        release();
      },
    };
  }

  /** Claims jobs for all free slots, and launches them. */
  async fill(claim: (slots: number) => Promise<ClaimedJob[]>): Promise<ClaimedJob[]> {
    const { free } = this;
    this.running.reserve(free);
    let claims: ClaimedJob[];
    try {
      claims = await claim(free);
    } finally {
      this.running.release(free);
    }
    for (const each of claims) this.launch(each);
    return claims;
  }

  private launch(claim: ClaimedJob): void {
    this.running.launch(claim, (own) => this.runner.run(claim, own), this.signal);
  }
}
