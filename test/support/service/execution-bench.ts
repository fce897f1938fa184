import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestingModule } from '@nestjs/testing';
import type { Job } from '../../../src/jobs/record/job.js';
import type { JobSubmission } from '../../../src/jobs/record/job-submission.js';
import type { FakeEngineOptions } from '../runtimes/fake/fake-engine.js';
import { FakeEngine } from '../runtimes/fake/fake-engine.js';
import { RunnerSpool } from '../runtimes/fake/fake-spool.js';
import type { FakeWorkload } from '../runtimes/fake/fake-workload.js';
import { waitFor } from '../wait-for.js';
import { startExecution, submitTo, waitForState } from './execution-server.js';

export const TERMINAL = /SUCCEEDED|FAILED|TIMED_OUT|CANCELLED|LOST/;

/** A data folder, a fake engine whose runners sign, and the servers that follow each other on them. */
export class ExecutionBench {
  server!: TestingModule;

  private constructor(
    readonly dataDir: string,
    readonly spool: RunnerSpool,
    readonly engine: FakeEngine,
    private readonly variables: Record<string, string>,
  ) {}

  /** With a first server. */
  static async open(
    options: FakeEngineOptions = {},
    variables: Record<string, string> = {},
  ): Promise<ExecutionBench> {
    const dataDir = await mkdtemp(join(tmpdir(), 'maps-execution-'));
    const spool = new RunnerSpool();
    const engine = new FakeEngine({ spool, secondMs: 1, allowKillByRemove: true, ...options });
    const bench = new ExecutionBench(dataDir, spool, engine, variables);
    await bench.start();
    return bench;
  }

  /** The next server, which `server` is from then on; the one before is closed by whoever wants that. */
  async start(more: Record<string, string> = {}): Promise<void> {
    this.server = await startExecution(this.engine, { DATA_DIR: this.dataDir, ...this.variables, ...more });
  }

  async close(): Promise<void> {
    await this.server.close();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  submit(more: Partial<JobSubmission> = {}): Promise<string> {
    return submitTo(this.server, more);
  }

  waitForState(id: string, state: RegExp): Promise<Job> {
    return waitForState(this.server, id, state);
  }

  /** The workload of this name, once it runs. */
  running(name: string): Promise<FakeWorkload> {
    return waitFor(() => {
      const workload = this.engine.workload(name);
      return workload.state === 'running' ? workload : undefined;
    });
  }
}
