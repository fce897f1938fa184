import { Field, Float, ID, Int, ObjectType } from '@nestjs/graphql';
import { GraphQLSafeInt } from 'graphql-scalars';
import type { JobReason } from '../../record/job-reason.js';
import type { JobState } from '../../record/job-state.js';
import { JobReasonEnum, JobStateEnum, NetworkAccessEnum, StartKindEnum } from './job-enums.js';

@ObjectType()
export class Label {
  @Field()
  name!: string;

  @Field()
  value!: string;
}

@ObjectType({ description: 'How the workload was started, and why that way.' })
export class JobStart {
  @Field(() => StartKindEnum)
  kind!: 'COLD' | 'WARM';

  @Field()
  why!: string;
}

@ObjectType({ description: 'One try to run the job.' })
export class Attempt {
  @Field(() => Int)
  number!: number;

  @Field({ description: 'Name of its container, pod or process.' })
  workload!: string;

  @Field({ description: 'As EXECUTION_RUNTIME names it.' })
  runtime!: string;

  @Field(() => Date, { nullable: true })
  startedAt!: Date | null;

  @Field(() => Date, { nullable: true })
  endedAt!: Date | null;

  @Field(() => JobReasonEnum, { nullable: true })
  reason!: JobReason | null;

  @Field(() => String, { nullable: true })
  message!: string | null;
}

@ObjectType({ description: 'Where the time went, in milliseconds; null for what has not happened.' })
export class JobTimings {
  @Field(() => GraphQLSafeInt, { nullable: true, description: 'Waiting for a free place.' })
  queuedMs!: number | null;

  @Field(() => GraphQLSafeInt, { nullable: true, description: 'Making the workload, until the script ran.' })
  startMs!: number | null;

  @Field(() => GraphQLSafeInt, { nullable: true, description: 'The script.' })
  runMs!: number | null;

  @Field(() => GraphQLSafeInt, { nullable: true, description: 'Collecting the outputs.' })
  collectMs!: number | null;
}

@ObjectType({ description: 'What the script used; null where the runtime cannot tell.' })
export class JobUsage {
  @Field(() => GraphQLSafeInt, { nullable: true })
  wallMs!: number | null;

  @Field(() => GraphQLSafeInt, { nullable: true, description: 'CPU time of the script and its children.' })
  cpuMs!: number | null;

  @Field(() => GraphQLSafeInt, {
    nullable: true,
    description: 'Largest resident size of one of its processes.',
  })
  peakMemoryBytes!: number | null;
}

@ObjectType()
export class JobLimits {
  @Field(() => Int)
  timeoutSeconds!: number;

  @Field(() => Int)
  memoryMb!: number;

  @Field(() => Float)
  cpus!: number;

  @Field(() => NetworkAccessEnum)
  network!: 'NONE' | 'INTERNET';
}

@ObjectType()
export class OutputFile {
  @Field({ description: 'Relative to /output.' })
  path!: string;

  @Field(() => GraphQLSafeInt, { description: 'Bytes.' })
  size!: number;

  @Field({ description: 'SHA-256, lower-case hex.' })
  sha256!: string;

  @Field()
  contentType!: string;

  @Field(() => Date)
  modifiedAt!: Date;

  @Field({ description: "Path of the download on this service's address." })
  url!: string;
}

@ObjectType({ description: 'Something in /output that was not kept.' })
export class SkippedOutput {
  @Field()
  path!: string;

  @Field()
  why!: string;
}

@ObjectType()
export class Job {
  @Field(() => ID)
  id!: string;

  @Field(() => String, { nullable: true })
  name!: string | null;

  @Field()
  environment!: string;

  @Field(() => Int)
  priority!: number;

  @Field(() => JobStateEnum)
  state!: JobState;

  @Field(() => JobReasonEnum, { nullable: true, description: 'Set when the job has ended.' })
  reason!: JobReason | null;

  @Field(() => String, { nullable: true, description: 'What happened, as a sentence.' })
  message!: string | null;

  @Field(() => String, { nullable: true, description: 'What may mend it.' })
  hint!: string | null;

  @Field(() => Int, { nullable: true })
  exitCode!: number | null;

  @Field(() => String, {
    nullable: true,
    description: 'Name of the signal that ended the script, for example SIGSEGV.',
  })
  signal!: string | null;

  @Field({ description: '`cancelJob` was called; the job is CANCELLED when its workload has ended.' })
  cancelRequested!: boolean;

  @Field(() => Int, { description: 'Number of the current attempt; 0 before the first.' })
  attempt!: number;

  @Field(() => Int, { description: 'How often a failed run is repeated.' })
  retries!: number;

  @Field(() => Date)
  createdAt!: Date;

  @Field(() => Date, { nullable: true })
  startedAt!: Date | null;

  @Field(() => Date, { nullable: true })
  finishedAt!: Date | null;

  @Field(() => JobTimings)
  timings!: JobTimings;

  @Field(() => JobUsage)
  usage!: JobUsage;

  @Field(() => JobLimits)
  limits!: JobLimits;

  @Field({
    description: 'The log passed its size limit: something in its middle is missing, and said there.',
  })
  logTruncated!: boolean;
}
