import { toRecords } from './records.mjs';
import { acceptedJobsEnd, submissionsAreOneJob } from './rule-accepted.mjs';
import { logIsExact } from './rule-log.mjs';
import { outboxIsComplete } from './rule-outbox.mjs';
import { outputsAreThere } from './rule-outputs.mjs';
import { runsOnlyWhatIsTold, startsAtMostOnce } from './rule-starts.mjs';
import { endsOnce, movesForward } from './rule-states.mjs';
import { cancelsAreKept, deadlineHolds, isPermitted, verdictIsTrue } from './rule-verdict.mjs';
import {
  jobsAreTaken,
  nothingIsLeft,
  runIsComplete,
  serversEndWhenTold,
  serversStopWhenAsked,
  workersAreUsed,
} from './rule-world.mjs';

/** Each takes a job's record and returns what is wrong with it, as sentences. */
const JOB_RULES = {
  acceptedJobsEnd,
  endsOnce,
  movesForward,
  outboxIsComplete,
  startsAtMostOnce,
  runsOnlyWhatIsTold,
  logIsExact,
  verdictIsTrue,
  cancelsAreKept,
  deadlineHolds,
  outputsAreThere,
};
const WORLD_RULES = {
  jobsAreTaken,
  nothingIsLeft,
  serversEndWhenTold,
  serversStopWhenAsked,
  workersAreUsed,
  runIsComplete,
};

/**
 * Judges a history. Pure.
 *
 * @returns {{ violations: { rule: string, detail: string, jobId?: string }[], verdicts: Record<string, number>,
 *   permitted: string[], jobs: number }} `permitted`: jobs that the platform failed in a documented way
 */
export function check({ plans, events }) {
  const { records, strangers } = toRecords({ plans, events });
  const violations = [
    ...records.flatMap((record) => jobViolations(record)),
    ...submissionsAreOneJob(records).map((fault) => ({ rule: 'submissionsAreOneJob', ...fault })),
    ...strangers.map((jobId) => ({ rule: 'strangers', jobId, detail: 'nobody sent this job' })),
    ...Object.entries(WORLD_RULES).flatMap(([rule, find]) =>
      find(events).map((fault) => ({ rule, ...fault })),
    ),
  ];
  const permitted = records.filter((record) => isPlatformFault(record)).map(({ jobId }) => jobId);
  return { violations, verdicts: countVerdicts(records), permitted, jobs: records.length };
}

function jobViolations(record) {
  return Object.entries(JOB_RULES).flatMap(([rule, find]) =>
    find(record).map((detail) => ({ rule, jobId: record.jobId, detail })),
  );
}

function isPlatformFault(record) {
  return isPermitted(record) && record.final.state !== record.plan.end.state;
}

function countVerdicts(records) {
  const counts = {};
  for (const { final } of records) {
    const verdict = final ? `${final.state} ${final.reason ?? ''}`.trim() : 'unknown';
    counts[verdict] = (counts[verdict] ?? 0) + 1;
  }
  return counts;
}
