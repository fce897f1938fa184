import { newId } from '../../common/ids.js';

const WORKER_ID = /^w-[0-9a-f-]{36}$/;
const WORKLOAD_PREFIX = 'runner-';

/** A workload that is ready for a job. */
export interface WarmWorker {
  /** Also the id of its workspace. */
  readonly id: string;
  /** The name of its workload. */
  readonly workload: string;
  readonly handle: string;
  /** What it signs with, hexadecimal; shown to nobody. */
  readonly key: string;
  readonly environment: string;
  /** When it was ready, milliseconds since 1970. */
  readonly readySinceMs: number;
  /** What the image reference stood for when it was started, where the runtime knows. */
  readonly imageVersion: string | undefined;
  /** Variables that the worker has read already: a job that sets one of them would have no effect. */
  readonly environmentRead: ReadonlySet<string>;
}

export function newWorkerId(): string {
  return `w-${newId()}`;
}

export function workerWorkload(id: string): string {
  return `${WORKLOAD_PREFIX}${id}`;
}

/** Whether a workspace was made for a worker. */
export function isWorkerId(workspace: string): boolean {
  return WORKER_ID.test(workspace);
}

/** Whether a workload was started as a worker. It may have been given a job since. */
export function isWorkerWorkload(name: string): boolean {
  return name.startsWith(WORKLOAD_PREFIX) && isWorkerId(workerIdOf(name));
}

/** The worker's id, which is in its workload's name. */
export function workerIdOf(workload: string): string {
  return workload.slice(WORKLOAD_PREFIX.length);
}
