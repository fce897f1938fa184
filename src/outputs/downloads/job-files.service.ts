import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { NotFoundError } from '../../common/app-error.js';
import { isId } from '../../common/ids.js';
import type { Principal } from '../../common/principal.js';
import type { Attempt } from '../../jobs/record/job.js';
import { JobHolds } from '../../jobs/retention/job-holds.js';
import { JobNotFoundError } from '../../jobs/record/job.errors.js';
import { JobRepository } from '../../jobs/store/job.repository.js';
import { JobService } from '../../jobs/job.service.js';
import { JobLogService } from '../../logs/job-log.service.js';
import type { OutputFile, OutputRange, OutputStore } from '../store/output-store.js';
import { OUTPUT_STORE } from '../store/output-store.js';
import { zipStream } from './zip-stream.js';

const PAGE = 1000;

/** An output of a job that is held until its content has been read, or until it is let go. */
export interface HeldOutput {
  row: OutputFile;
  name: string;
  /** @throws OutputGoneError. The caller reads it to its end or destroys it, which lets go of the job. */
  open(range?: OutputRange): Promise<Readable>;
  /** For who does not open it. Safe to repeat. */
  release(): void;
}

/** A job's files as downloads. Only what the manifest lists is ever opened. */
@Injectable()
export class JobFilesService {
  constructor(
    private readonly jobs: JobService,
    private readonly repository: JobRepository,
    @Inject(OUTPUT_STORE) private readonly outputs: OutputStore,
    private readonly logs: JobLogService,
    private readonly holds: JobHolds,
  ) {}

  /** @throws NotFoundError. The caller opens it or lets it go. */
  async output(principal: Principal, jobId: string, path: string): Promise<HeldOutput> {
    const release = await this.hold(principal, jobId);
    try {
      const { number, workspace } = await this.currentAttempt(principal, jobId);
      // No file has a NUL in its name, and PostgreSQL takes none in a text.
      const row = path.includes('\0')
        ? undefined
        : await this.repository.output(principal, jobId, number, path);
      if (!row) throw new NotFoundError('The job has no such output.');
      const open = async (range?: OutputRange): Promise<Readable> =>
        (await this.outputs.open(workspace, path, range)).once('close', release);
      return { row, name: basename(path), open, release };
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
          open: () => this.outputs.open(attempt.workspace, row.path),
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
