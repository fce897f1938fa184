import { Field, Float, InputType, Int } from '@nestjs/graphql';
import { GraphQLJSON } from 'graphql-scalars';
import { JobReasonEnum, JobStateEnum, NetworkAccessEnum } from './job-enums.js';
import type { JobReason } from '../../record/job-reason.js';
import type { JobState } from '../../record/job-state.js';

@InputType({
  description: 'A file that the script finds beneath /input. Exactly one of text and base64 is given.',
})
export class InputFileInput {
  @Field({ description: 'Relative path beneath /input, for example `data/points.csv`.' })
  path!: string;

  @Field(() => String, { nullable: true })
  text?: string | null;

  @Field(() => String, { nullable: true, description: 'The content, Base64 (RFC 4648).' })
  base64?: string | null;
}

@InputType()
export class LabelInput {
  @Field()
  name!: string;

  @Field()
  value!: string;
}

@InputType()
export class EnvVarInput {
  @Field({ description: 'Letters, digits and underscores, not beginning with a digit.' })
  name!: string;

  @Field()
  value!: string;
}

@InputType()
export class RunScriptInput {
  @Field({ description: 'Python source, at most 900 KiB of UTF-8.' })
  script!: string;

  @Field(() => GraphQLJSON, {
    nullable: true,
    description: 'Reaches the script as /input/request.json; at most 900 KiB.',
  })
  request?: unknown;

  @Field(() => [InputFileInput], { nullable: true, description: 'At most 100 files and 2 MiB in all.' })
  files?: InputFileInput[] | null;

  @Field(() => String, { nullable: true, defaultValue: 'default', description: 'One of `environments`.' })
  environment!: string | null;

  @Field(() => String, { nullable: true, description: 'For people; at most 200 characters.' })
  name?: string | null;

  @Field(() => [LabelInput], { nullable: true, description: 'At most 32, each name once.' })
  labels?: LabelInput[] | null;

  @Field(() => Int, { nullable: true, defaultValue: 0, description: 'Higher runs first; −1000 to 1000.' })
  priority!: number | null;

  @Field(() => Int, {
    nullable: true,
    description: "Seconds the script may run; the service's default where not given.",
  })
  timeoutSeconds?: number | null;

  @Field(() => Int, { nullable: true, description: 'MiB of memory.' })
  memoryMb?: number | null;

  @Field(() => Float, { nullable: true, description: 'CPUs; fractions are allowed. Default 1.' })
  cpus?: number | null;

  @Field(() => NetworkAccessEnum, { nullable: true, description: 'Default NONE.' })
  network?: 'NONE' | 'INTERNET' | null;

  @Field(() => [EnvVarInput], {
    nullable: true,
    description: "Added to the script's environment; 64 KiB in all.",
  })
  env?: EnvVarInput[] | null;

  @Field(() => [String], {
    nullable: true,
    description:
      'Names out of `service { secrets }`, at most 20: each is a variable of the script, whose value is never stored and is masked in the log.',
  })
  secrets?: string[] | null;

  @Field(() => Int, {
    nullable: true,
    defaultValue: 0,
    description:
      'How often a script that started and then failed is run again; 0 to 10. A platform failure before the start is retried by itself.',
  })
  retries!: number | null;

  @Field(() => String, {
    nullable: true,
    description: 'The same key with the same request finds the job made before.',
  })
  idempotencyKey?: string | null;
}

@InputType()
export class JobFilter {
  @Field(() => [JobStateEnum], { nullable: true })
  states?: JobState[] | null;

  @Field(() => [JobReasonEnum], { nullable: true })
  reasons?: JobReason[] | null;

  @Field(() => String, { nullable: true, description: 'Part of the name, in any case.' })
  nameContains?: string | null;

  @Field(() => [LabelInput], { nullable: true, description: 'Jobs that carry all of these.' })
  labels?: LabelInput[] | null;

  @Field(() => Date, { nullable: true })
  createdAfter?: Date | null;

  @Field(() => Date, { nullable: true })
  createdBefore?: Date | null;
}
