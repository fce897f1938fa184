import { Module } from '@nestjs/common';
import { Clock, SystemClock } from '../common/clock.js';
import { AttemptRepository } from './attempt.repository.js';
import { ClaimRepository } from './claim.repository.js';
import { JobDetailsLoader } from './job-details.loader.js';
import { JobEvents } from './job-events.js';
import { JobFollower } from './job-follower.js';
import { JobHolds } from './job-holds.js';
import { JobPlaces } from './job-places.js';
import { JobRemover } from './job-remover.js';
import { JobRepository } from './job.repository.js';
import { JobResolver } from './job.resolver.js';
import { ReplicaHints } from './replica-hints.js';
import { JobService } from './job.service.js';
import { RetentionBounds } from './retention-bounds.js';
import { RetentionRepository } from './retention.repository.js';
import { StorageSpace } from './storage-space.js';

@Module({
  providers: [
    { provide: Clock, useClass: SystemClock },
    JobRepository,
    AttemptRepository,
    ClaimRepository,
    JobEvents,
    JobFollower,
    ReplicaHints,
    JobHolds,
    JobPlaces,
    JobRemover,
    RetentionBounds,
    RetentionRepository,
    StorageSpace,
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
    JobPlaces,
    JobRemover,
    JobRepository,
    JobService,
    RetentionBounds,
    RetentionRepository,
    StorageSpace,
  ],
})
export class JobsModule {}
