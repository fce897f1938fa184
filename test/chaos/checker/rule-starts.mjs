import { startsOf } from './records.mjs';

/** An attempt is started at most once, and another one after a start only where the caller asked for it. */
export function startsAtMostOnce(record) {
  const starts = startsOf(record);
  const attempts = new Set(starts.map(({ attempt }) => attempt));
  const faults = [...attempts]
    .map((attempt) => ({ attempt, times: starts.filter((start) => start.attempt === attempt).length }))
    .filter(({ times }) => times > 1)
    .map(({ attempt, times }) => `attempt ${attempt} was started ${times} times`);
  const allowed = 1 + record.plan.retries;
  if (attempts.size > allowed)
    faults.push(`its script ran ${attempts.size} times; ${allowed} were asked for`);
  return faults;
}

/** What was refused to the caller, or cancelled before it began, does not run. */
export function runsOnlyWhatIsTold(record) {
  const told = record.final?.attempt;
  const beyond = startsOf(record).filter(({ attempt }) => told !== undefined && attempt > told);
  return beyond.map(({ attempt }) => `attempt ${attempt} ran, and the job knows of ${told} only`);
}
