import { Field, Int, ObjectType, registerEnumType } from '@nestjs/graphql';
import { GraphQLSafeInt } from 'graphql-scalars';
import { Job } from '../../jobs/api/models/job.model.js';

const LogStreamEnum = { STDOUT: 'STDOUT', STDERR: 'STDERR' } as const;
registerEnumType(LogStreamEnum, { name: 'LogStream' });

@ObjectType({ description: 'A piece of what the script printed: at most 64 KiB of one stream.' })
export class LogChunk {
  @Field(() => Int, { description: '1, 2, 3 … within an attempt, without gaps, over both streams.' })
  seq!: number;

  @Field({
    description: 'Give it as `after` to go on behind this chunk; valid across reconnects and restarts.',
  })
  cursor!: string;

  @Field(() => Int)
  attempt!: number;

  @Field(() => Date)
  at!: Date;

  @Field(() => LogStreamEnum)
  stream!: 'STDOUT' | 'STDERR';

  @Field({ description: 'Valid UTF-8; bytes that were not are U+FFFD.' })
  text!: string;

  @Field(() => GraphQLSafeInt, {
    nullable: true,
    description:
      'Bytes of this stream that are missing here because the log had reached its size limit; `text` is empty then.',
  })
  droppedBytes!: number | null;
}

@ObjectType()
export class JobLogEvent {
  @Field(() => [LogChunk])
  chunks!: LogChunk[];

  @Field(() => Job, {
    nullable: true,
    description: 'Set in the last event only: the job in its final state.',
  })
  job!: Job | null;

  @Field(() => String, {
    nullable: true,
    description: 'Set when the rest of an attempt’s log cannot be read, because the script damaged it.',
  })
  damage!: string | null;
}

@ObjectType()
export class LogPage {
  @Field(() => [LogChunk])
  chunks!: LogChunk[];

  @Field({ description: 'Give it as `after` for the next page.' })
  endCursor!: string;

  @Field({ description: 'More was there when the page was read.' })
  hasMore!: boolean;

  @Field(() => String, { nullable: true })
  damage!: string | null;
}
