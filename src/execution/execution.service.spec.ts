import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { WarmPool } from '../runtime/pool/warm-pool.js';
import type { RuntimeHealthMonitor } from '../runtime/runtime-health.js';
import type { RuntimeProvider } from '../runtime/runtime-provider.js';
import type { WorkspaceMaker } from '../workspace/workspace-maker.js';
import type { Dispatcher } from './admission/dispatcher.js';
import type { RunningAttempts } from './attempt/running-attempts.js';
import type { ExecutionLoops } from './execution-loops.js';
import { ExecutionService } from './execution.service.js';

/** The least grace that a manifest of ours gives a server, less what the rest of its end takes. */
const BOUND_MS = 25_000;

function serviceOn(runtime: Pick<RuntimeProvider, 'close'>): ExecutionService {
  const idle = { drained: () => Promise.resolve() };
  return new ExecutionService(
    runtime as RuntimeProvider,
    {} as RuntimeHealthMonitor,
    {} as WorkspaceMaker,
    {} as Dispatcher,
    {} as ExecutionLoops,
    idle as RunningAttempts,
    {} as WarmPool,
  );
}

describe('a server that stops', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('does not wait for ever for a runtime that does not close', async () => {
    let isStopped = false;
    const service = serviceOn({ close: () => new Promise(() => undefined) });
    void service.beforeApplicationShutdown().then(() => (isStopped = true));
    await jest.advanceTimersByTimeAsync(BOUND_MS);
    expect(isStopped).toBe(true);
  });

  it('waits for a runtime that closes in time, and for one that fails to', async () => {
    for (const outcome of [() => undefined, () => Promise.reject(new Error('away'))]) {
      let isClosed = false;
      const close = async (): Promise<void> => {
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        isClosed = true;
        await outcome();
      };
      const stopping = serviceOn({ close }).beforeApplicationShutdown();
      await jest.advanceTimersByTimeAsync(1_000);
      await stopping;
      expect(isClosed).toBe(true);
    }
  });
});
