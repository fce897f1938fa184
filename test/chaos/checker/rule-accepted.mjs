import { groupBy } from './group-by.mjs';
import { isFinal, ofState } from './states.mjs';
import { ofType } from './records.mjs';

/** What was accepted is never lost: it is known for ever, and reaches an end. */
export function acceptedJobsEnd(record) {
  const faults = ofType(record, 'refused').map(
    ({ observer, code }) => `${observer} was refused with ${code}`,
  );
  if (!record.final) return [...faults, 'the service does not know it at the end'];
  if (!isFinal(record.final.state)) faults.push(`it never ended: ${ofState(record.final)}`);
  return faults;
}

/** Sent once, or again with its key, a job is one job. */
export function submissionsAreOneJob(records) {
  return [...groupBy(records, ({ plan }) => plan.name)]
    .filter(([, same]) => same.length > 1)
    .map(([name, same]) => ({
      jobId: same[0].jobId,
      detail: `${name} became ${same.length} jobs: ${same.map(({ jobId }) => jobId).join(', ')}`,
    }));
}
