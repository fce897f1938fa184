import type { EventEmitter } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { NotFoundError, errnoOf } from '../common/app-error.js';
import { isId } from '../common/ids.js';
import type { Principal } from '../common/principal.js';
import type { Attempt, OutputFile } from '../jobs/record/job.js';
import { JobHolds } from '../jobs/retention/job-holds.js';
import { JobNotFoundError } from '../jobs/record/job.errors.js';
import { JobRepository } from '../jobs/store/job.repository.js';
import { JobService } from '../jobs/job.service.js';
import { JobLogService } from '../logs/job-log.service.js';
import { NotRegularFileError, Workspaces } from '../workspace/workspaces.js';
import { zipStream } from './zip-stream.js';

const PAGE = 1000;

export interface OpenOutput {
  row: OutputFile;
  file: FileHandle;
  name: string;
}

/** A job's files as downloads. Only what the manifest lists is ever opened, and never through a link. */
@Injectable()
export class JobFilesService {
  constructor(
    private readonly jobs: JobService,
    private readonly repository: JobRepository,
    private readonly workspaces: Workspaces,
    private readonly logs: JobLogService,
    private readonly holds: JobHolds,
  ) {}

  /** @throws NotFoundError. The caller closes the file. */
  async openOutput(principal: Principal, jobId: string, path: string): Promise<OpenOutput> {
    const release = await this.hold(principal, jobId);
    try {
      const attempt = await this.currentAttempt(principal, jobId);
      // No file has a NUL in its name, and PostgreSQL takes none in a text.
      const row = path.includes('\0')
        ? undefined
        : await this.repository.output(principal, jobId, attempt.number, path);
      if (!row) throw new NotFoundError('The job has no such output.');
      const file = await this.open(attempt, row);
      // Node's types do not know the event.
      (file as FileHandle & EventEmitter).once('close', release);
      return { row, file, name: basename(path) };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** All outputs as one zip, made while it is read. */
  async zip(principal: Principal, jobId: string): Promise<Readable> {
    return this.holdWhile(principal, jobId, async () => {
      const attempt = await this.currentAttempt(principal, jobId);
      const rows: OutputFile[] = [];
      for (let after: string | undefined; ;) {
        const page = await this.repository.outputs(principal, jobId, attempt.number, PAGE, after);
        rows.push(...page);
        after = page.at(-1)?.path;
        if (page.length < PAGE) break;
      }
      // A job that was deleted between two pages would make a zip that lacks files and looks whole.
      await this.jobs.get(principal, jobId);
      return zipStream(
        rows.map((row) => ({
          path: row.path,
          size: row.size,
          modifiedAtMs: row.modifiedAtMs,
          open: () => this.open(attempt, row),
        })),
      );
    });
  }

  /** The log of the current attempt as plain text, as far as it is there now. */
  async logText(principal: Principal, jobId: string): Promise<Readable> {
    return this.holdWhile(principal, jobId, async () => {
      const job = await this.jobs.get(principal, jobId);
      const attempt = await this.repository.attempt(principal, jobId, job.attempt);
      const text = this.logs.text(attempt?.workspace);
      const first = await text.next();
      // What is open stays whole; what was deleted before it was open would look like an empty log.
      await this.jobs.get(principal, jobId).catch(async (error: unknown) => {
        await text.return();
        throw error;
      });
      return Readable.from(startingWith(first, text));
    });
  }

  private async holdWhile(
    principal: Principal,
    jobId: string,
    open: () => Promise<Readable>,
  ): Promise<Readable> {
    const release = await this.hold(principal, jobId);
    try {
      return (await open()).once('close', release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** From before the first look at the job until the last byte is sent, retention leaves it alone. */
  private hold(principal: Principal, jobId: string): Promise<() => void> {
    if (!isId(jobId)) throw new JobNotFoundError(jobId);
    return this.holds.hold(principal, jobId);
  }

  private async open(attempt: Attempt, row: OutputFile): Promise<FileHandle> {
    try {
      return await this.workspaces.openOutput(attempt.workspace, row.path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' && !(error instanceof NotRegularFileError)) throw error;
      throw new NotFoundError('The output is not there any more.');
    }
  }

  private async currentAttempt(principal: Principal, jobId: string): Promise<Attempt> {
    const job = await this.jobs.get(principal, jobId);
    const attempt = await this.repository.attempt(principal, jobId, job.attempt);
    if (!attempt) throw new NotFoundError('The job has not run yet.');
    return attempt;
  }
}

async function* startingWith<T>(
  first: IteratorResult<T, void>,
  rest: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  try {
    if (first.done) return;
    yield first.value;
    yield* rest;
  } finally {
    await rest.return();
  }
}
