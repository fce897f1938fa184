import { Module } from '@nestjs/common';
import { Clock, SystemClock } from '../common/clock.js';
import { AttemptRepository } from './attempt.repository.js';
import { ClaimRepository } from './claim.repository.js';
import { JobDetailsLoader } from './job-details.loader.js';
import { JobEvents } from './job-events.js';
import { JobFollower } from './job-follower.js';
import { JobRepository } from './job.repository.js';
import { JobResolver } from './job.resolver.js';
import { ReplicaHints } from './replica-hints.js';
import { JobService } from './job.service.js';

@Module({
  providers: [
    { provide: Clock, useClass: SystemClock },
    JobRepository,
    AttemptRepository,
    ClaimRepository,
    JobEvents,
    JobFollower,
    ReplicaHints,
    JobService,
    JobDetailsLoader,
    JobResolver,
  ],
  exports: [Clock, JobRepository, AttemptRepository, ClaimRepository, JobEvents, JobService],
})
export class JobsModule {}
