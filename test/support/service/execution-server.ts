import { Global, Module } from '@nestjs/common';
import { jest } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Test } from '@nestjs/testing';
import { ConfigModule } from '../../../src/config/config.module.js';
import { DatabaseModule } from '../../../src/database/database.module.js';
import type { Job } from '../../../src/jobs/record/job.js';
import { ExecutionModule } from '../../../src/execution/execution.module.js';
import { JobQueue } from '../../../src/execution/admission/job-queue.js';
import { RunningAttempts } from '../../../src/execution/attempt/running-attempts.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import type { JobSubmission } from '../../../src/jobs/record/job-submission.js';
import { JobService } from '../../../src/jobs/job.service.js';
import { LogModule } from '../../../src/log.module.js';
import type { FakeEngine } from '../runtimes/fake/fake-engine.js';
import { FakeRuntime } from '../runtimes/fake/fake.runtime.js';
import { RuntimeHealthMonitor } from '../../../src/runtime/runtime-health.js';
import type { RuntimeProvider } from '../../../src/runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../../src/runtime/runtime-provider.js';
import { OutputStoreModule } from '../../../src/outputs/store/output-store.module.js';
import { WorkspaceModule } from '../../../src/workspace/workspace.module.js';
import { submission } from './job-submission.js';
import { waitFor } from '../wait-for.js';
import { CALLER } from './caller.js';

/** As many jobs as such a server runs at a time. */
export const PLACES = 2;

/** A server without its API, on a fake engine: what runs jobs, and nothing else. */
export async function startExecution(
  engine: FakeEngine,
  variables: Record<string, string>,
): Promise<TestingModule> {
  return startExecutionOn(new FakeRuntime(engine), variables);
}

/** The same on any runtime, which the server closes with itself. */
export async function startExecutionOn(
  runtime: RuntimeProvider,
  variables: Record<string, string>,
): Promise<TestingModule> {
  const provider = { provide: RUNTIME_PROVIDER, useValue: runtime };

  @Global()
  @Module({
    providers: [provider, RuntimeHealthMonitor],
    exports: [RUNTIME_PROVIDER, RuntimeHealthMonitor],
  })
  class FakeRuntimeModule {}

  const all = {
    LOG_LEVEL: 'silent',
    MAX_CONCURRENT_JOBS: String(PLACES),
    STOP_GRACE_SECONDS: '1',
    ...variables,
  };
  const module = await Test.createTestingModule({
    imports: [
      ConfigModule.forRoot(all),
      LogModule,
      DatabaseModule,
      WorkspaceModule,
      OutputStoreModule,
      FakeRuntimeModule,
      ExecutionModule,
    ],
  }).compile();
  return module.init();
}

/** Calls `work` while all slots are free and nobody claims: what a claim may need is not to be had by others. */
export async function whileNobodyClaims<T>(server: TestingModule, work: () => Promise<T>): Promise<T> {
  const claim = jest.spyOn(server.get(JobQueue), 'claim').mockResolvedValue([]);
  try {
    await waitFor(() => server.get(RunningAttempts).free === PLACES);
    return await work();
  } finally {
    claim.mockRestore();
  }
}

/** Submits a job, returns its id. */
export async function submitTo(server: TestingModule, more: Partial<JobSubmission> = {}): Promise<string> {
  return (await server.get(JobService).submit(CALLER, submission(more))).id;
}

export async function waitForState(
  server: TestingModule,
  id: string,
  state: RegExp,
  deadlineMs?: number,
): Promise<Job> {
  let last: Job | undefined;
  return waitFor(
    async () => {
      last = await server.get(JobRepository).find(CALLER, id);
      return last && state.test(last.state) ? last : undefined;
    },
    { deadlineMs, describe: () => `job in ${String(state)}, last ${JSON.stringify(last)}` },
  );
}
