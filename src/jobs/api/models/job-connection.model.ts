import { Field, ObjectType } from '@nestjs/graphql';
import { Job } from './job.model.js';

@ObjectType()
export class PageInfo {
  @Field()
  hasNextPage!: boolean;

  @Field()
  hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true })
  startCursor!: string | null;

  @Field(() => String, { nullable: true })
  endCursor!: string | null;
}

@ObjectType()
export class JobEdge {
  @Field()
  cursor!: string;

  @Field(() => Job)
  node!: Job;
}

@ObjectType({ description: 'A page of jobs, newest first (Relay cursor connections).' })
export class JobConnection {
  @Field(() => [JobEdge])
  edges!: JobEdge[];

  @Field(() => PageInfo)
  pageInfo!: PageInfo;
}

@ObjectType()
export class RunScriptPayload {
  @Field(() => Job)
  job!: Job;
}
