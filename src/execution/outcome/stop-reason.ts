/** Why the service ends a workload early. */
export type StopReason = 'cancel' | 'deadline' | 'startTimeout';
