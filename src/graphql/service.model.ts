import { Field, Float, Int, ObjectType } from '@nestjs/graphql';
import { GraphQLJSONObject, GraphQLSafeInt } from 'graphql-scalars';

@ObjectType({ description: 'A named runner image with which a job may run.' })
export class Environment {
  @Field()
  name!: string;

  @Field()
  image!: string;
}

@ObjectType()
export class ServiceRuntime {
  @Field({ description: 'As EXECUTION_RUNTIME names it.' })
  name!: string;

  @Field()
  healthy!: boolean;

  @Field({ description: 'The engine’s version, or what is wrong with it.' })
  message!: string;

  @Field({ description: 'Why this runtime was chosen.' })
  reason!: string;

  @Field(() => GraphQLJSONObject, { description: 'What it can enforce; docs/runtimes.md explains each.' })
  capabilities!: object;
}

@ObjectType()
export class ServiceQueue {
  @Field(() => Int)
  queued!: number;

  @Field(() => Int)
  running!: number;

  @Field(() => Int)
  maxQueued!: number;

  @Field(() => Int, { description: 'Jobs that this replica runs at the same time.' })
  maxConcurrent!: number;
}

@ObjectType({ description: 'The warm workers of one environment, on this replica.' })
export class ServiceEnvironmentPool {
  @Field()
  environment!: string;

  @Field(() => Int)
  min!: number;

  @Field(() => Int)
  max!: number;

  @Field(() => Int, { description: 'How many are wanted now: more while jobs come often.' })
  target!: number;

  @Field(() => Int, { description: 'Workers that wait for a job.' })
  ready!: number;

  @Field(() => Int, { description: 'Workers on their way.' })
  starting!: number;

  @Field(() => Int, { description: 'Jobs that got a worker, since the replica started.' })
  hits!: number;

  @Field(() => Int, { description: 'Jobs that started cold because no worker was ready, since then.' })
  misses!: number;

  @Field(() => String, { nullable: true, description: 'Why workers do not come up.' })
  message?: string;
}

@ObjectType()
export class ServicePool {
  @Field(() => Int, { description: 'Warm workers that wait for a job, on this replica.' })
  ready!: number;

  @Field(() => [ServiceEnvironmentPool], { description: 'Those of WARM_POOL.' })
  environments!: ServiceEnvironmentPool[];
}

@ObjectType({
  description:
    'What belonged to no job and was removed by this replica since it started. More than a few mean that servers die, or that something else tampers with the engine.',
})
export class ServiceSweeper {
  @Field(() => Int)
  workloadsRemoved!: number;

  @Field(() => Int)
  workspacesRemoved!: number;
}

@ObjectType({ description: 'Bounds of one job.' })
export class ServiceLimits {
  @Field(() => Int)
  maxScriptBytes!: number;

  @Field(() => Int)
  maxRequestBytes!: number;

  @Field(() => Int)
  maxInputFilesBytes!: number;

  @Field(() => Int)
  defaultTimeoutSeconds!: number;

  @Field(() => Int)
  maxTimeoutSeconds!: number;

  @Field(() => Int)
  defaultMemoryMb!: number;

  @Field(() => Int)
  maxMemoryMb!: number;

  @Field(() => Float)
  maxCpus!: number;

  @Field(() => GraphQLSafeInt)
  maxLogBytes!: number;

  @Field(() => GraphQLSafeInt)
  maxOutputBytes!: number;
}

@ObjectType()
export class Service {
  @Field()
  version!: string;

  @Field(() => ServiceRuntime)
  runtime!: ServiceRuntime;

  @Field({ description: 'How scripts are kept apart: container, sandbox, or none.' })
  isolation!: string;

  @Field(() => ServiceQueue)
  queue!: ServiceQueue;

  @Field(() => ServicePool)
  pool!: ServicePool;

  @Field(() => ServiceSweeper)
  sweeper!: ServiceSweeper;

  @Field(() => ServiceLimits)
  limits!: ServiceLimits;

  @Field(() => [String], { description: 'Names of the secrets that a job may ask for.' })
  secrets!: string[];
}
