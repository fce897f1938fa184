import { registerEnumType } from '@nestjs/graphql';
import { JOB_REASONS } from '../../record/job-reason.js';
import { JOB_STATES } from '../../record/job-state.js';

function toEnum<T extends string>(names: readonly T[]): { [K in T]: K } {
  return Object.fromEntries(names.map((name) => [name, name])) as { [K in T]: K };
}

export const JobStateEnum = toEnum(JOB_STATES);
export const JobReasonEnum = toEnum(JOB_REASONS);
export const NetworkAccessEnum = toEnum(['NONE', 'INTERNET'] as const);
export const StartKindEnum = toEnum(['COLD', 'WARM'] as const);

registerEnumType(JobStateEnum, {
  name: 'JobState',
  description: 'Where a job is in its life. SUCCEEDED, FAILED, TIMED_OUT, CANCELLED and LOST are final.',
  valuesMap: {
    QUEUED: { description: 'Waits for a free place.' },
    STARTING: { description: 'A workload is being made for it.' },
    RUNNING: { description: 'The script runs.' },
    SUCCEEDED: { description: 'The script ended with code 0.' },
    FAILED: { description: 'The script failed, or could not be started; `reason` says which.' },
    TIMED_OUT: { description: 'The script did not end within its time limit.' },
    CANCELLED: { description: 'Ended by `cancelJob`.' },
    LOST: { description: 'How it ended is not known: its workload vanished.' },
  },
});
registerEnumType(JobReasonEnum, {
  name: 'JobReason',
  description: 'Why a job ended. A fault of the script and one of the platform never share a reason.',
});
registerEnumType(NetworkAccessEnum, { name: 'NetworkAccess', description: 'What a script may reach.' });
registerEnumType(StartKindEnum, { name: 'StartKind' });
