import type { HandleBase } from '../../handle.js';
import { decodeHandle, encodeHandle } from '../../handle.js';
import type { WorkloadState } from './workload-state.js';

/** How a workload of this runtime is found again. */
export interface ProcessHandle extends HandleBase {
  readonly runtime: 'process';
  readonly name: string;
  /** The supervisor's pid and start time; 0 and empty for a workload that was made and not yet started. */
  readonly pid: number;
  readonly startTime: string;
}

export function handleOf(scope: string, { name, supervisor }: WorkloadState): string {
  const { pid, startTime } = supervisor ?? { pid: 0, startTime: '' };
  return encodeHandle<ProcessHandle>({ v: 1, runtime: 'process', scope, name, pid, startTime });
}

/** A handle from elsewhere is a fault of the caller, not a workload that is lost. */
export function readHandle(scope: string, text: string): ProcessHandle {
  const handle = decodeHandle<ProcessHandle>(text, 'process');
  if (handle?.scope !== scope) throw new Error('The handle is of another host, or of before its reboot.');
  return handle;
}

/** Whether the folder is of the handle's workload, and not of a later one of the same name. */
export function isSameWorkload({ pid, startTime }: ProcessHandle, { supervisor }: WorkloadState): boolean {
  return pid === 0 || !supervisor || (supervisor.pid === pid && supervisor.startTime === startTime);
}
