import type { RuntimeProvider, WorkloadSpec } from '../../../src/runtime/runtime-provider.js';
import { WorkloadStartError } from '../../../src/runtime/runtime.errors.js';
import { isWorkerWorkload } from '../../../src/runtime/pool/warm-worker.js';

/** Stands before a real runtime and fails what a test asks it to, for workers only. */
export class FaultyStarts {
  /** How many starts of workers have failed. */
  failed = 0;
  private message: string | undefined;
  private keeps = false;

  around(runtime: RuntimeProvider): RuntimeProvider {
    const removals = new Map<string, string>();
    return new Proxy(runtime, {
      get: (target, key) => {
        if (key === 'start') {
          return async (spec: WorkloadSpec, signal?: AbortSignal) => {
            this.refuse(spec);
            const handle = await target.start(spec, signal);
            removals.set(handle, spec.name);
            return handle;
          };
        }
        if (key === 'remove') {
          return async (handle: string, signal?: AbortSignal) => {
            if (this.keeps && isWorkerWorkload(removals.get(handle) ?? ''))
              throw new Error('the server is dead');
            await target.remove(handle, signal);
          };
        }
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  failWorkers(message: string): void {
    this.message = message;
  }

  /** Workers are not removed, as if nobody were there to do it. */
  keepWorkers(): void {
    this.keeps = true;
  }

  mend(): void {
    this.message = undefined;
    this.keeps = false;
    this.failed = 0;
  }

  private refuse(spec: WorkloadSpec): void {
    if (this.message === undefined || !spec.worker) return;
    this.failed += 1;
    throw new WorkloadStartError({ kind: 'failed', message: this.message, retryable: true });
  }
}
