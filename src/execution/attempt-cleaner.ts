import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../common/app-error.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import type { ClaimedJob } from '../jobs/claimed-job.js';
import type { RuntimeProvider } from '../runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../runtime/runtime-provider.js';
import { Workspaces } from '../workspace/workspaces.js';

/** Takes away what a settled attempt no longer needs. What fails here the sweeper does later. */
@Injectable()
export class AttemptCleaner {
  constructor(
    @Inject(RUNTIME_PROVIDER) private readonly runtime: RuntimeProvider,
    @Inject(LOG) private readonly log: Log,
    private readonly workspaces: Workspaces,
  ) {}

  async clean({ job, attempt }: ClaimedJob, handle: string | undefined): Promise<void> {
    try {
      if (handle !== undefined) await this.runtime.remove(handle, AbortSignal.timeout(30_000));
      await this.workspaces.removeInputs(attempt.workspace);
    } catch (error) {
      this.log.warn(
        { jobId: job.id, err: messageOf(error) },
        'a settled workload could not be removed; the sweeper will',
      );
    }
  }
}
