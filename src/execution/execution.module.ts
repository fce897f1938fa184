import { Module } from '@nestjs/common';
import { JobsModule } from '../jobs/jobs.module.js';
import { LogsModule } from '../logs/logs.module.js';
import { PoolModule } from '../runtime/pool/pool.module.js';
import { AdoptionPolicy } from './takeover/adoption-policy.js';
import { AnswerWait } from './attempt/answer-wait.js';
import { AttemptCleaner } from './attempt/attempt-cleaner.js';
import { AttemptJudge } from './attempt/attempt-judge.js';
import { AttemptRunner } from './attempt/attempt-runner.js';
import { AttemptSettler } from './attempt/attempt-settler.js';
import { AttemptWatcher } from './attempt/attempt-watcher.js';
import { CancelWatch } from './attempt/cancel-watch.js';
import { DataOwnership } from './upkeep/data-ownership.js';
import { Dispatcher } from './admission/dispatcher.js';
import { ExecutionLoops } from './execution-loops.js';
import { ExecutionService } from './execution.service.js';
import { JobQueue } from './admission/job-queue.js';
import { JobSlots } from './admission/job-slots.js';
import { JobRecorder } from './attempt/job-recorder.js';
import { LeaseKeeper } from './takeover/lease-keeper.js';
import { OrphanFiles } from './upkeep/orphan-files.js';
import { OrphanSweeper } from './upkeep/orphan-sweeper.js';
import { AttemptResumer } from './takeover/attempt-resumer.js';
import { OrphanWorkloads } from './upkeep/orphan-workloads.js';
import { Recovery } from './takeover/recovery.js';
import { Replica } from './replica.js';
import { RetentionKeeper } from './upkeep/retention-keeper.js';
import { RunningAttempts } from './attempt/running-attempts.js';
import { ScriptEvidence } from './attempt/script-evidence.js';
import { StartPlanner } from './admission/start-planner.js';
import { WorkerStrays } from './upkeep/worker-strays.js';
import { WorkloadStarter } from './attempt/workload-starter.js';

@Module({
  imports: [JobsModule, LogsModule, PoolModule],
  providers: [
    AdoptionPolicy,
    AnswerWait,
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
    JobSlots,
    JobRecorder,
    LeaseKeeper,
    OrphanFiles,
    OrphanSweeper,
    OrphanWorkloads,
    Recovery,
    AttemptResumer,
    Replica,
    RetentionKeeper,
    RunningAttempts,
    ScriptEvidence,
    StartPlanner,
    WorkerStrays,
    WorkloadStarter,
  ],
  exports: [ExecutionService, OrphanSweeper, PoolModule, RunningAttempts],
})
export class ExecutionModule {}
