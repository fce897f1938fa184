import type Docker from 'dockerode';
import type { WorkloadExit, WorkloadSummary } from '../runtime-provider.js';

export type ContainerState = Pick<
  Docker.ContainerInspectInfo['State'],
  'Status' | 'ExitCode' | 'OOMKilled' | 'Error'
>;

/** How a container ended, or undefined while it may still run or is being removed. */
export function toExit(state: ContainerState): WorkloadExit | undefined {
  switch (state.Status) {
    case 'created':
      return state.Error ? startFailed(state.Error) : { kind: 'neverStarted' };
    case 'exited':
      return { kind: 'exited', exitCode: state.ExitCode, oomKilled: state.OOMKilled };
    case 'dead':
      return {
        kind: 'lost',
        message: 'The engine could not remove the container and kept no trustworthy end of it.',
      };
    default:
      return undefined;
  }
}

/** The exit of a container that is not there. */
export function toAbsence(wasSeen: boolean): WorkloadExit {
  if (wasSeen) return { kind: 'removed' };
  return { kind: 'lost', message: 'The container is not there any more.' };
}

/** A state as the engine's list has it, in the contract's three words. */
export function toSummaryState(state: string): WorkloadSummary['state'] {
  if (state === 'created') return 'created';
  return mayRun(state) ? 'running' : 'ended';
}

/** Whether a container in this state may still run: then its end is still to be told. */
export function mayRun(state: string): boolean {
  return state === 'running' || state === 'paused' || state === 'restarting';
}

function startFailed(said: string): WorkloadExit {
  return {
    kind: 'startFailed',
    failure: {
      kind: 'failed',
      message: `The engine could not start the container: ${said}`,
      retryable: true,
    },
  };
}
