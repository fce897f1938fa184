import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SILENT_LOG } from '../../../test/support/recorded-log.js';
import { loadConfig } from '../../config/load-config.js';
import type { ClaimedJob } from '../../jobs/record/job.js';
import type { JobRepository } from '../../jobs/store/job.repository.js';
import type { RuntimeHealthMonitor } from '../../runtime/runtime-health.js';
import type { RuntimeProvider } from '../../runtime/runtime-provider.js';
import { RuntimeUnavailableError, WorkloadStartError } from '../../runtime/runtime.errors.js';
import type { WorkspaceMaker } from '../../workspace/workspace-maker.js';
import type { WorkspaceOrders } from '../../workspace/workspace-orders.js';
import { WorkloadStarter } from './workload-starter.js';

const CLAIM = {
  fence: { attempt: 1 },
  job: { id: 'job', environment: 'default' },
  attempt: { handle: null, workload: 'runner-job' },
  key: null,
  spec: {},
  files: [],
};
const REFUSAL = new WorkloadStartError({ kind: 'refused', message: 'It is refused.', retryable: false });

describe('the start of a workload', () => {
  let stopping: AbortController;
  let starts: number;
  let suspicions: number;
  let warnings: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    stopping = new AbortController();
    starts = suspicions = 0;
    warnings = [];
  });

  afterEach(() => void jest.useRealTimers());

  /** On an engine that runs `answer` for each start, with the number of the start. */
  function start(answer: (start: number) => void): ReturnType<WorkloadStarter['start']> {
    const runtime = {
      capabilities: {},
      start: async () => {
        answer(++starts);
        return 'handle';
      },
    };
    const starter = new WorkloadStarter(
      runtime as unknown as RuntimeProvider,
      { ...SILENT_LOG, warn: (_fields, message) => void warnings.push(message) },
      { make: async () => ({}) } as unknown as WorkspaceMaker,
      {} as WorkspaceOrders,
      {} as JobRepository,
      { suspect: () => void suspicions++ } as unknown as RuntimeHealthMonitor,
      loadConfig({}, []),
    );
    return starter.start({ ...CLAIM } as unknown as ClaimedJob, stopping.signal);
  }

  function fail(error: Error): never {
    throw error;
  }

  it('is repeated while the engine is away, which is suspected each time', async () => {
    const started = start((count) => count < 3 && fail(new RuntimeUnavailableError('away')));
    await jest.advanceTimersByTimeAsync(600);
    expect(await started).toBe('handle');
    expect([starts, suspicions, warnings.length]).toEqual([3, 2, 2]);
  });

  it('is not repeated when the engine refuses it, nor after a fault nobody foresaw', async () => {
    expect(await start(() => fail(REFUSAL))).toMatchObject({ message: 'It is refused.' });
    expect(await start(() => fail(new Error('a fault')))).toMatchObject({
      message: 'The workload could not be started.',
      retryable: false,
    });
    expect([starts, suspicions]).toEqual([2, 0]);
  });

  it('is refused also when the server began to stop meanwhile, and any other failure is not judged then', async () => {
    const reason = new Error('stopping');
    const failWhileStopping = (error: Error): ReturnType<typeof start> =>
      start(() => {
        stopping.abort(reason);
        fail(error);
      });
    expect(await failWhileStopping(REFUSAL)).toMatchObject({ message: 'It is refused.' });
    for (const error of [new RuntimeUnavailableError('away'), new Error('a fault')])
      await expect(failWhileStopping(error)).rejects.toBe(reason);
    expect([starts, suspicions]).toEqual([3, 0]);
  });

  it('is given up when the server stops while it waits for the engine', async () => {
    const reason = new Error('stopping');
    const refused = expect(start(() => fail(new RuntimeUnavailableError('away')))).rejects.toBe(reason);
    await jest.advanceTimersByTimeAsync(0);
    stopping.abort(reason);
    await refused;
    expect([starts, suspicions]).toEqual([1, 1]);
  });
});
