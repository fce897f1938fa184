import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../../common/app-error.js';
import type { Log } from '../../common/log.js';
import { LOG } from '../../common/log.js';
import { SYSTEM } from '../../common/principal.js';
import { retry } from '../../common/async/retry.js';
import type { AppConfig } from '../../config/app-config.js';
import { APP_CONFIG } from '../../config/app-config.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import { JobRepository } from '../../jobs/store/job.repository.js';
import { RuntimeHealthMonitor } from '../../runtime/runtime-health.js';
import type { RuntimeProvider, StartFailure } from '../../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../../runtime/runtime-provider.js';
import { RuntimeUnavailableError, WorkloadStartError } from '../../runtime/runtime.errors.js';
import type { WorkspacePaths } from '../../workspace/workspace-paths.js';
import type { WorkspaceContent } from '../../workspace/workspace-content.js';
import { WorkspaceMaker } from '../../workspace/workspace-maker.js';
import { WorkspaceOrders } from '../../workspace/workspace-orders.js';
import { toJobOrder } from './job-order.js';
import { frameKeyOf } from './script-evidence.js';
import { toWorkloadSpec } from './workload-spec.js';

/** Makes an attempt's folders and starts its workload, or gives it to the worker that was planned for it. */
@Injectable()
export class WorkloadStarter {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly workspaces: WorkspaceMaker,
    private readonly orders: WorkspaceOrders,
    private readonly jobs: JobRepository,
    private readonly health: RuntimeHealthMonitor,
    @Inject(APP_CONFIG) private readonly config: Pick<AppConfig, 'environments' | 'execution' | 'limits'>,
  ) {}

  /** The workload's handle, or how the start failed. Rejects only when `signal` aborts. */
  async start(claim: ClaimedJob, signal: AbortSignal): Promise<string | StartFailure> {
    const { handle } = claim.attempt;
    if (handle !== null) return this.handOut(claim, handle);
    let workspace: WorkspacePaths;
    try {
      const content = await this.contentOf(claim);
      workspace = await this.workspaces.make(claim.attempt.workspace, content, frameKeyOf(claim));
    } catch (error) {
      this.log.error({ jobId: claim.job.id, err: messageOf(error) }, 'a workspace could not be made');
      return { kind: 'failed', message: 'The folders of the job could not be made.', retryable: true };
    }
    return this.startWorkload(claim, workspace, signal);
  }

  /**
   * A failed write may have reached the worker all the same, when only the answer was lost. So the worker is watched in
   * any case: with the order it runs the job; without one it ends by the withdrawal, or is stopped because it does not
   * begin.
   */
  private async handOut(claim: ClaimedJob, handle: string): Promise<string> {
    const { workspace } = claim.attempt;
    try {
      await this.workspaces.handOut(workspace, await this.contentOf(claim));
    } catch (error) {
      this.log.error(
        { jobId: claim.job.id, err: messageOf(error) },
        'a job could not be given to its worker',
      );
      await this.orders.withdrawOrder(workspace).catch(() => undefined); // the disk that just failed
    }
    return handle;
  }

  private async contentOf(claim: ClaimedJob): Promise<WorkspaceContent> {
    const files = claim.files ?? (await this.jobs.inputFiles(SYSTEM.dispatcher, claim.job.id));
    // They are about to be written, and would only take memory while the job runs.
    claim.files = undefined;
    const { script, requestText } = claim.spec;
    return {
      script,
      requestText,
      files,
      order: toJobOrder(claim, this.runtime.capabilities, this.config),
    };
  }

  /** Repeats the start while the engine is away. The workload's name makes all repetitions one start. */
  private async startWorkload(
    claim: ClaimedJob,
    workspace: WorkspacePaths,
    signal: AbortSignal,
  ): Promise<string | StartFailure> {
    const spec = toWorkloadSpec(claim, workspace, this.config);
    const onFailure = (error: unknown): void => {
      this.log.warn(
        { jobId: claim.job.id, err: messageOf(error) },
        'the engine did not take a start; trying again',
      );
      this.health.suspect();
    };
    try {
      return await retry(
        () => this.runtime.start(spec, signal),
        {
          firstMs: 200,
          maxMs: 5_000,
          isFinal: (error) => !(error instanceof RuntimeUnavailableError),
          onFailure,
        },
        signal,
      );
    } catch (error) {
      if (error instanceof WorkloadStartError) return this.refused(claim, error);
      signal.throwIfAborted();
      return this.giveUp(claim, error);
    }
  }

  /** The engine's own words go to the log only; the job's owner gets a public message. */
  private refused(claim: ClaimedJob, { failure }: WorkloadStartError): StartFailure {
    const { message, kind } = failure;
    this.log.warn({ jobId: claim.job.id, kind, said: message }, 'a workload could not be started');
    return failure;
  }

  /** After an unforeseen fault the script may be running, so it is not started again. */
  private giveUp(claim: ClaimedJob, error: unknown): StartFailure {
    this.log.error(
      { jobId: claim.job.id, err: messageOf(error), stack: (error as Error).stack },
      'a start failed unexpectedly',
    );
    return { kind: 'failed', message: 'The workload could not be started.', retryable: false };
  }
}
