import { randomUUID } from 'node:crypto';
import { ConnectionError } from '../../client/api-error.js';
import type { Job } from '../../client/api-types.js';
import type { RunScriptInput } from '../../client/schema-types.js';
import { backoffMs, sleepOrThrow } from '../../client/backoff.js';
import type { Context } from '../context.js';
import { downloadOutputs } from '../download-outputs.js';
import { exitCodeOfJob } from '../exit-codes.js';
import { printable } from '../format.js';
import { CancelOnInterrupt } from '../interrupt.js';
import { LogPrinter } from '../print-log.js';
import type { RunOptions } from '../run-input.js';
import { toRunInput } from '../run-input.js';

export interface RunCommandOptions extends RunOptions {
  follow?: boolean;
  download?: string;
  json?: boolean;
}

const TRIES = 3;

/** `maps run`. Returns the exit code. */
export async function run(script: string, options: RunCommandOptions, context: Context): Promise<number> {
  const input = await toRunInput(script, options, process.env);
  if (options.follow || options.download !== undefined) return runAndFollow(input, options, context);
  const job = await submit(input, context);
  if (options.json) await context.terminal.json(job);
  else await context.terminal.data(`${job.id}\n`);
  return 0;
}

async function runAndFollow(
  input: RunScriptInput,
  options: RunCommandOptions,
  context: Context,
): Promise<number> {
  const interrupt = new CancelOnInterrupt(context);
  try {
    const { id } = await submit(input, context);
    interrupt.watch(id);
    context.terminal.note(`job ${id}`);
    const job = await followToEnd(id, options, context);
    if (options.download !== undefined) await fetchOutputs(job, options.download, context);
    return exitCodeOfJob(job);
  } finally {
    interrupt.dispose();
  }
}

/** Sends the script with a key, so that sending it again after a broken connection does not run it twice. */
async function submit(input: RunScriptInput, { api }: Context): Promise<Job> {
  const keyed = { ...input, idempotencyKey: input.idempotencyKey ?? randomUUID() };
  for (let failures = 0; ; failures++) {
    try {
      return await api.run(keyed);
    } catch (error) {
      if (!(error instanceof ConnectionError) || failures + 1 >= TRIES) throw error;
      await sleepOrThrow(backoffMs(failures));
    }
  }
}

async function followToEnd(jobId: string, options: RunCommandOptions, context: Context): Promise<Job> {
  const printer = new LogPrinter(context.terminal, options.json ?? false);
  for await (const event of context.follow({ jobId })) {
    await printer.print(event);
    if (!event.job) continue;
    if (options.json) await context.terminal.json({ job: event.job });
    if (event.job.state !== 'SUCCEEDED') sayWhy(event.job, context);
    return event.job;
  }
  throw new ConnectionError('The log ended without saying how the job ended.');
}

function sayWhy(job: Job, { terminal }: Context): void {
  terminal.note(`${printable(job.message ?? 'The job did not succeed.')} (${job.reason ?? job.state})`);
  if (job.hint) terminal.note(printable(job.hint));
}

async function fetchOutputs(job: Job, folder: string, context: Context): Promise<void> {
  const written = await downloadOutputs(context, job.id, folder);
  if (written.length === 0) return context.terminal.note('The job left no files.');
  const count = written.length === 1 ? '1 file' : `${written.length} files`;
  context.terminal.note(`${count} in ${folder}`);
}
