import { Module } from '@nestjs/common';
import { OutboxModule } from '../outbox/outbox.module.js';
import { Clock, SystemClock } from '../common/clock.js';
import { AttemptRepository } from './store/attempt.repository.js';
import { ClaimRepository } from './store/claim.repository.js';
import { JobDetailsLoader } from './api/job-details.loader.js';
import { JobEvents } from './record/job-events.js';
import { JobFollower } from './job-follower.js';
import { JobHolds } from './retention/job-holds.js';
import { JobAdmission } from './job-admission.js';
import { JobIntake } from './job-intake.js';
import { JobRemover } from './retention/job-remover.js';
import { JobRepository } from './store/job.repository.js';
import { JobResolver } from './api/job.resolver.js';
import { ReplicaHints } from './replica-hints.js';
import { JobService } from './job.service.js';
import { RetentionBounds } from './retention/retention-bounds.js';
import { RetentionRepository } from './store/retention.repository.js';
import { SubmissionRepository } from './store/submission.repository.js';
import { StorageSpace } from './retention/storage-space.js';

@Module({
  imports: [OutboxModule],
  providers: [
    { provide: Clock, useClass: SystemClock },
    JobRepository,
    AttemptRepository,
    ClaimRepository,
    JobEvents,
    JobFollower,
    ReplicaHints,
    JobHolds,
    JobAdmission,
    JobRemover,
    RetentionBounds,
    RetentionRepository,
    StorageSpace,
    SubmissionRepository,
    JobIntake,
    JobService,
    JobDetailsLoader,
    JobResolver,
  ],
  exports: [
    AttemptRepository,
    ClaimRepository,
    Clock,
    JobEvents,
    JobHolds,
    JobAdmission,
    JobRemover,
    JobRepository,
    JobService,
    RetentionBounds,
    RetentionRepository,
    StorageSpace,
  ],
})
export class JobsModule {}
