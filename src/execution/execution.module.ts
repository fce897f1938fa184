import { Module } from '@nestjs/common';
import { JobsModule } from '../jobs/jobs.module.js';
import { LogsModule } from '../logs/logs.module.js';
import { PoolModule } from '../runtime/pool/pool.module.js';
import { AdoptionPolicy } from './adoption-policy.js';
import { AttemptCleaner } from './attempt-cleaner.js';
import { AttemptJudge } from './attempt-judge.js';
import { AttemptRunner } from './attempt-runner.js';
import { AttemptSettler } from './attempt-settler.js';
import { AttemptWatcher } from './attempt-watcher.js';
import { CancelWatch } from './cancel-watch.js';
import { DataOwnership } from './data-ownership.js';
import { Dispatcher } from './dispatcher.js';
import { ExecutionLoops } from './execution-loops.js';
import { ExecutionService } from './execution.service.js';
import { JobQueue } from './job-queue.js';
import { JobRecorder } from './job-recorder.js';
import { LeaseKeeper } from './lease-keeper.js';
import { OrphanSweeper } from './orphan-sweeper.js';
import { RecoveryWork } from './recovery-work.js';
import { Recovery } from './recovery.js';
import { Replica } from './replica.js';
import { RetentionKeeper } from './retention-keeper.js';
import { RunningAttempts } from './running-attempts.js';
import { StartPlanner } from './start-planner.js';
import { WorkerStrays } from './worker-strays.js';
import { WorkloadStarter } from './workload-starter.js';

@Module({
  imports: [JobsModule, LogsModule, PoolModule],
  providers: [
    AdoptionPolicy,
    AttemptCleaner,
    AttemptJudge,
    AttemptRunner,
    AttemptSettler,
    AttemptWatcher,
    CancelWatch,
    DataOwnership,
    Dispatcher,
    ExecutionLoops,
    ExecutionService,
    JobQueue,
    JobRecorder,
    LeaseKeeper,
    OrphanSweeper,
    Recovery,
    RecoveryWork,
    Replica,
    RetentionKeeper,
    RunningAttempts,
    StartPlanner,
    WorkerStrays,
    WorkloadStarter,
  ],
  exports: [ExecutionService, OrphanSweeper, PoolModule, RunningAttempts],
})
export class ExecutionModule {}
